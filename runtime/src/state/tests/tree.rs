//! The tree against its definition.

use super::*;

fn store_of(n_rows: u32) -> (StateTable, Model) {
    let store = StateTable::new();
    let changes = rows(0..n_rows, 0);
    let mut model = Model::new();
    apply(&mut model, &changes);
    store.apply(&changes);
    (store, model)
}

fn rows(range: std::ops::Range<u32>, salt: u8) -> Vec<StateChange> {
    range
        .map(|i| {
            let key = StateKey::new(Address([9; 32]), 3, &i.to_le_bytes());
            let value = [&i.to_le_bytes()[..], &[salt]].concat();
            change(&key, Some(&value))
        })
        .collect()
}

#[test]
fn the_empty_state_has_the_zero_root() {
    assert_eq!(StateTree::empty().root(), Hash::ZERO);
    assert_eq!(StateTree::from_state(&StateTable::new()).unwrap().root(), Hash::ZERO);
    assert_eq!(naive_root(&Model::new()), Hash::ZERO);
}

#[test]
fn a_large_update_equals_a_rebuilt_tree_and_the_definition() {
    // Enough rows and changes for many tasks on each level.
    let (store, mut model) = store_of(60_000);
    let mut tree = StateTree::from_state(&store).unwrap();
    assert_eq!(tree.root(), naive_root(&model));

    let mut changes = rows(50_000..80_000, 1);
    changes.extend(
        (0..10_000)
            .map(|i| change(&StateKey::new(Address([9; 32]), 3, &(i * 3u32).to_le_bytes()), None)),
    );
    // Deleted above and written again, and the other way: the last counts.
    changes.extend(rows(0..10, 7));
    changes.push(change(&StateKey::new(Address([9; 32]), 3, &70_000u32.to_le_bytes()), None));
    let update = tree.update(&store, &changes).unwrap();
    let before = tree.root();
    apply(&mut model, &changes);
    assert_eq!(update.root(), naive_root(&model));
    assert_eq!(tree.root(), before, "an update that is not applied changes nothing");

    tree.apply(update);
    store.apply(&changes);
    assert_eq!(StateTree::from_state(&store).unwrap().root(), tree.root());
    // The tree is right inside too, not only at the root: an update of everything goes through it.
    let removal: Vec<_> = model.values().map(|(key, _)| change(key, None)).collect();
    let (half, rest) = removal.split_at(removal.len() / 2);
    let update = tree.update(&store, half).unwrap();
    tree.apply(update);
    store.apply(half);
    assert_eq!(StateTree::from_state(&store).unwrap().root(), tree.root());
    assert_eq!(tree.update(&store, rest).unwrap().root(), Hash::ZERO);
}

#[test]
fn nothing_to_do_keeps_the_root() {
    let (store, _) = store_of(100);
    let tree = StateTree::from_state(&store).unwrap();
    assert_eq!(tree.update(&store, &[]).unwrap().root(), tree.root());
    let absent = change(&StateKey::new(Address([1; 32]), 0, b"absent"), None);
    assert_eq!(tree.update(&store, &[absent]).unwrap().root(), tree.root());
    assert_eq!(tree.update(&store, &rows(0..100, 0)).unwrap().root(), tree.root());
}

#[test]
fn the_root_does_not_depend_on_machines() {
    let (whole, model) = store_of(5_000);
    let expected = naive_root(&model);
    // Borders that are multiples of nothing, and a machine without rows.
    let borders = [0, 1, 77, 70_001, 70_002, 555_555, 1_048_575, BUCKETS];
    let mut buckets = Vec::new();
    for border in borders.windows(2) {
        let machine = StateTable::new();
        let own = model
            .iter()
            .filter(|(hash, _)| (border[0]..border[1]).contains(&bucket_of(hash)))
            .map(|(_, (key, value))| change(key, Some(value)));
        machine.apply(&own.collect::<Vec<_>>());
        buckets.extend(bucket_hashes(&machine, border[0]..border[1]).unwrap());
    }
    assert_eq!(StateTree::from_buckets(buckets).root(), expected);
    assert_eq!(StateTree::from_state(&whole).unwrap().root(), expected);
}

#[test]
fn the_root_does_not_depend_on_history_or_threads() {
    let (_, model) = store_of(3_000);
    let mut roots = Vec::new();
    for n_threads in [1, 2, 5] {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(n_threads).build().unwrap();
        let store = StateTable::new();
        let mut tree = StateTree::empty();
        let mut changes: Vec<_> =
            model.values().map(|(key, value)| change(key, Some(value))).collect();
        changes.rotate_left(n_threads * 100);
        changes.splice(0..0, rows(90_000..90_500, 0));
        changes.extend(rows(90_000..90_500, 0).iter().map(|row| change(row.key(), None)));
        for part in changes.chunks(400 * n_threads) {
            let update = pool.install(|| tree.update(&store, part)).unwrap();
            tree.apply(update);
            store.apply(part);
        }
        roots.push(tree.root());
    }
    assert_eq!(roots, [naive_root(&model); 3]);
}

/// The encoding of the state in its root: a change here is a change of the protocol.
#[test]
fn conformance() {
    let (store, _) = store_of(1_000);
    let tree = StateTree::from_state(&store).unwrap();
    let key = StateKey::new(Address([9; 32]), 3, &5u32.to_le_bytes());
    let proof = borsh::to_vec(&tree.prove(&store, &key.hash()).unwrap()).unwrap();
    let keys: Vec<_> = rows(990..1_010, 0).iter().map(|row| *row.hash()).collect();
    let witness = borsh::to_vec(&tree.witness(&store, &keys).unwrap()).unwrap();
    let found = [
        tree.root(),
        Hash(*blake3::hash(&proof).as_bytes()),
        Hash(*blake3::hash(&witness).as_bytes()),
        value_hash(b"value"),
        value_hash(&[7; 32]),
    ];
    let expected = [
        "0xcb431a99d356178142b64aa28c55c8a9ca83424e819a457d015aaabb253f41b0",
        "0x82e4695b664e014bb12b3484e116add9c56cffe7204f8b5d40689ad048b87519",
        "0x178d7e05de4f6d295103a4af9afc06d31309a1e769e97fb8be5c890ffe462dbb",
        "0x0576616c75650000000000000000000000000000000000000000000000000000",
        "0xfe3dbc8adc77e52f0786e2b9b798d982b4e3ccff446e1b7c495cecb906e54391",
    ];
    assert_eq!(found.map(|hash| hash.to_string()), expected);
}
