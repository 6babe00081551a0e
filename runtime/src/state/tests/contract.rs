//! What every store must do, against a map.

use proptest::prelude::*;

use super::*;

#[derive(Clone, Debug)]
enum Step {
    /// Rows to write: positions in `KEYS`, and values.
    Commit(Vec<(usize, Option<Vec<u8>>)>),
    Reopen,
}

fn step() -> impl Strategy<Value = Step> {
    let value = prop_oneof![
        3 => proptest::option::of(proptest::collection::vec(any::<u8>(), 0..40)),
        1 => proptest::collection::vec(any::<u8>(), 4_000..9_000).prop_map(Some),
    ];
    let change = (0..KEYS.len(), value);
    prop_oneof![
        4 => proptest::collection::vec(change, 0..12).prop_map(Step::Commit),
        1 => Just(Step::Reopen),
    ]
}

/// Runs the steps on a store, comparing with the map after each.
fn check(
    mut store: Box<dyn Store>,
    reopen: &dyn Fn(Box<dyn Store>) -> Box<dyn Store>,
    steps: &[Step],
) {
    let mut model = Model::new();
    let mut tree = StateTree::empty();
    let mut snapshots = Vec::new();
    for step in steps {
        match step {
            Step::Commit(changes) => {
                let changes: Vec<_> = changes
                    .iter()
                    .map(|(key, value)| change(&KEYS[*key], value.as_deref()))
                    .collect();
                snapshots.push((store.snapshot(), model.clone()));
                let update = tree.update(&*store, &changes).unwrap();
                apply(&mut model, &changes);
                let root = update.root();
                tree.apply(update);
                assert_eq!(tree.root(), root);
                store.commit(batch(changes)).unwrap();
            }
            Step::Reopen => {
                snapshots.clear();
                store = reopen(store);
            }
        }
        same_rows(&*store, &model);
        assert_eq!(tree.root(), StateTree::from_state(&*store).unwrap().root());
        if snapshots.len() > 2 {
            snapshots.remove(0);
        }
        for (snapshot, model) in &snapshots {
            same_rows(&**snapshot, model);
        }
    }
    assert_eq!(tree.root(), naive_root(&model));
}

fn same_rows(state: &dyn StateScan, model: &Model) {
    for key in &*KEYS {
        let found = state.get(&key.hash()).unwrap();
        let expected = model.get(&key.hash()).map(|(_, value)| value.as_slice());
        assert_eq!(found.as_deref(), expected);
    }
    let scan = |buckets: std::ops::Range<u32>| {
        let mut rows = Vec::new();
        state
            .scan(buckets, &mut |row| {
                assert_eq!(row.value_hash, value_hash(row.value));
                rows.push((row.hash, (row.state_key(), row.value.to_vec())));
                Ok(())
            })
            .unwrap();
        rows
    };
    let expected: Vec<_> = model.clone().into_iter().collect();
    assert_eq!(scan(0..BUCKETS), expected);
    let bucket = bucket_of(&KEYS[0].hash());
    let inside: Vec<_> =
        expected.into_iter().filter(|(hash, _)| bucket_of(hash) == bucket).collect();
    assert_eq!(scan(bucket..bucket + 1), inside);
    assert_eq!(scan(bucket..bucket), Vec::new());
}

fn temporary() -> (tempfile::TempDir, Box<dyn Store>) {
    let dir = tempfile::tempdir().unwrap();
    let store = RedbStore::create(dir.path()).unwrap();
    (dir, Box::new(store))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn memory_store_is_a_map(steps in proptest::collection::vec(step(), 1..8)) {
        check(Box::new(MemoryStore::new()), &|store| store, &steps);
    }

    #[test]
    fn redb_store_is_a_map(steps in proptest::collection::vec(step(), 1..8)) {
        let (dir, store) = temporary();
        let reopen = |store: Box<dyn Store>| -> Box<dyn Store> {
            drop(store);
            Box::new(RedbStore::open(dir.path()).unwrap())
        };
        check(store, &reopen, &steps);
    }
}

/// Blocks, transactions and named records.
fn check_records(store: &mut dyn Store) {
    assert_eq!(store.latest_height().unwrap(), None);
    assert_eq!(store.block(0).unwrap(), None);
    assert_eq!(store.meta("genesis").unwrap(), None);
    let location = |height, index| TxLocation { height, index };
    // 256 after 255 and 9 tells numbers from their little endian bytes.
    for height in [0u64, 9, 255, 256] {
        let mut batch = batch(vec![change(&KEYS[0], Some(&height.to_le_bytes()))]);
        batch.block = Some((height, format!("block {height}").into_bytes()));
        let hash = Hash([u8::try_from(height % 256).unwrap(); 32]);
        batch.transactions = vec![(hash, location(height, u32::MAX))];
        batch.meta = vec![("head", height.to_le_bytes().to_vec()), ("genesis", b"{}".to_vec())];
        store.commit(batch).unwrap();
        assert_eq!(store.latest_height().unwrap(), Some(height));
    }
    assert_eq!(store.block(9).unwrap().unwrap(), b"block 9");
    assert_eq!(store.block(10).unwrap(), None);
    assert_eq!(store.tx_location(&Hash([9; 32])).unwrap(), Some(location(9, u32::MAX)));
    // Heights 0 and 256 wrote the same hash: the last counts.
    assert_eq!(store.tx_location(&Hash([0; 32])).unwrap(), Some(location(256, u32::MAX)));
    assert_eq!(store.tx_location(&Hash([1; 32])).unwrap(), None);
    assert_eq!(store.meta("head").unwrap().unwrap(), 256u64.to_le_bytes());
    assert_eq!(store.meta("genesis").unwrap().unwrap(), b"{}");
    // A batch with nothing in it changes nothing.
    store.commit(CommitBatch::default()).unwrap();
    assert_eq!(store.latest_height().unwrap(), Some(256));
}

#[test]
fn stores_keep_records() {
    check_records(&mut MemoryStore::new());
    let (_dir, mut store) = temporary();
    check_records(&mut *store);
}

#[test]
fn a_failing_visitor_ends_the_scan() {
    let changes: Vec<_> = KEYS.iter().map(|key| change(key, Some(b"v"))).collect();
    let (_dir, durable) = temporary();
    for mut store in [Box::new(MemoryStore::new()), durable] {
        store.commit(batch(changes.clone())).unwrap();
        let mut n_visits = 0;
        let ended = store.scan(0..BUCKETS, &mut |_| {
            n_visits += 1;
            Err(StoreError::Missing { path: "x".into() })
        });
        assert!(matches!(ended, Err(StoreError::Missing { .. })));
        assert_eq!(n_visits, 1);
    }
}
