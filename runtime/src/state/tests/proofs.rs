//! Proofs and witnesses: what they show, and that nothing in them can be changed.

use proptest::prelude::*;

use super::*;

/// Three rows in one bucket, others in four, and a thousand elsewhere.
fn state() -> (StateTable, StateTree, Model) {
    let mut changes: Vec<_> = KEYS.iter().map(|key| change(key, Some(&key.key))).collect();
    changes.extend(
        (0..1_000u32).map(|i| {
            change(&StateKey::new(Address([8; 32]), 0, &i.to_le_bytes()), Some(&[1, 2, 3]))
        }),
    );
    let store = StateTable::new();
    let mut model = Model::new();
    apply(&mut model, &changes);
    store.apply(&changes);
    let tree = StateTree::from_state(&store).unwrap();
    (store, tree, model)
}

fn absent(i: u32) -> KeyHash {
    StateKey::new(Address([7; 32]), 0, &i.to_le_bytes()).hash()
}

#[test]
fn a_proof_shows_presence_and_absence() {
    let (store, tree, _) = state();
    let root = tree.root();
    for key in KEYS.iter().take(15) {
        let proof = tree.prove(&store, &key.hash()).unwrap();
        assert_eq!(proof.verify(&root, &key.hash(), Some(&key.key)), Ok(()));
        let wrong = Err(ProofError::Value { key: key.hash() });
        assert_eq!(proof.verify(&root, &key.hash(), None), wrong);
        assert_eq!(proof.verify(&root, &key.hash(), Some(b"other")), wrong);
        let elsewhere = proof.verify(&root, &absent(0), None);
        assert!(elsewhere.is_err());
    }
    let proof = tree.prove(&store, &absent(0)).unwrap();
    assert_eq!(proof.verify(&root, &absent(0), None), Ok(()));
    assert!(proof.verify(&root, &absent(0), Some(b"")).is_err());

    // Absent from a bucket that has other rows.
    let removal = change(&KEYS[1], None);
    let mut tree = tree;
    tree.apply(tree.update(&store, std::slice::from_ref(&removal)).unwrap());
    store.apply(&[removal]);
    let proof = tree.prove(&store, &KEYS[1].hash()).unwrap();
    assert_eq!(proof.rows.len(), 2);
    assert_eq!(proof.verify(&tree.root(), &KEYS[1].hash(), None), Ok(()));
    assert!(proof.verify(&root, &KEYS[1].hash(), None).is_err(), "an old root");
}

#[test]
fn the_empty_state_proves_absence() {
    let (store, tree) = (StateTable::new(), StateTree::empty());
    let proof = tree.prove(&store, &absent(1)).unwrap();
    assert_eq!(proof.verify(&Hash::ZERO, &absent(1), None), Ok(()));
    assert!(proof.verify(&Hash::ZERO, &absent(1), Some(b"v")).is_err());
    let witness = tree.witness(&store, &[absent(1)]).unwrap();
    assert_eq!(witness.verify(&Hash::ZERO).unwrap().value_hash(&absent(1)), Ok(None));
}

#[test]
fn every_changed_byte_of_a_proof_is_refused() {
    let (store, tree, _) = state();
    for key in [&KEYS[4].hash(), &absent(3)] {
        let value = store.get(key).unwrap();
        let bytes = borsh::to_vec(&tree.prove(&store, key).unwrap()).unwrap();
        let accepts = |bytes: &[u8]| {
            borsh::from_slice::<Proof>(bytes)
                .is_ok_and(|proof| proof.verify(&tree.root(), key, value.as_deref()).is_ok())
        };
        assert!(accepts(&bytes));
        each_change(&bytes, |bytes| assert!(!accepts(bytes)));
    }
}

#[test]
fn every_changed_byte_of_a_witness_is_refused() {
    let (store, tree, _) = state();
    let keys = [KEYS[0].hash(), KEYS[1].hash(), KEYS[5].hash(), KEYS[20].hash()];
    let bytes = borsh::to_vec(&tree.witness(&store, &keys).unwrap()).unwrap();
    let accepts = |bytes: &[u8]| {
        borsh::from_slice::<Witness>(bytes)
            .is_ok_and(|witness| witness.verify(&tree.root()).is_ok())
    };
    assert!(accepts(&bytes));
    each_change(&bytes, |bytes| assert!(!accepts(bytes)));
}

/// With an empty bucket, a changed byte may name another empty bucket: a true witness for that one.
#[test]
fn only_the_true_witness_of_some_buckets_verifies() {
    let (store, tree, _) = state();
    let keys = [KEYS[0].hash(), absent(5), absent(6)];
    let bytes = borsh::to_vec(&tree.witness(&store, &keys).unwrap()).unwrap();
    let n_accepted = std::cell::Cell::new(0);
    each_change(&bytes, |bytes| {
        let Ok(witness) = borsh::from_slice::<Witness>(bytes) else { return };
        if witness.verify(&tree.root()).is_ok() {
            n_accepted.set(n_accepted.get() + 1);
            let key = |bucket: &BucketRows| {
                let mut key = [0; 32];
                key[..4].copy_from_slice(&(bucket.bucket << 12).to_be_bytes());
                KeyHash(key)
            };
            let keys: Vec<_> = witness.buckets.iter().map(key).collect();
            assert_eq!(witness, tree.witness(&store, &keys).unwrap());
        }
    });
    assert!(n_accepted.get() > 0);
}

/// Every byte changed in three ways, and every shorter and one longer string.
fn each_change(bytes: &[u8], check: impl Fn(&[u8])) {
    for i in 0..bytes.len() {
        for flip in [1, 0x80, 0xff] {
            let mut changed = bytes.to_vec();
            changed[i] ^= flip;
            check(&changed);
        }
        check(&bytes[..i]);
    }
    check(&[bytes, &[0]].concat());
}

#[test]
fn a_witness_of_another_form_is_refused() {
    let (store, tree, _) = state();
    let root = tree.root();
    let keys = [KEYS[0].hash(), KEYS[5].hash(), absent(5)];
    let witness = tree.witness(&store, &keys).unwrap();
    let refused = |what: &str, change: &dyn Fn(&mut Witness)| {
        let mut changed = witness.clone();
        change(&mut changed);
        assert!(changed.verify(&root).is_err(), "{what}");
    };
    refused("empty", &|w| w.buckets.clear());
    refused("bucket left out", &|w| drop(w.buckets.remove(1)));
    refused("bucket twice", &|w| w.buckets.insert(0, w.buckets[0].clone()));
    refused("buckets swapped", &|w| w.buckets.swap(0, 1));
    refused("bucket out of range", &|w| w.buckets[2].bucket |= 1 << 20);
    refused("row left out", &|w| {
        let full = w.buckets.iter_mut().find(|bucket| bucket.rows.len() == 3).unwrap();
        full.rows.truncate(2);
    });
    refused("node left out", &|w| drop(w.nodes.pop()));
    refused("node added", &|w| w.nodes.push(Siblings::default()));
    refused("zero sibling", &|w| {
        let node = w.nodes.iter_mut().find(|node| node.present == 0).unwrap();
        *node = Siblings { present: 1, hashes: vec![Hash::ZERO] };
    });
    // A hidden row: its bucket's hash put beside itself on the path.
    refused("sibling on the path", &|w| w.nodes[0].present = u16::MAX);

    let proven = witness.verify(&root).unwrap();
    let foreign = KEYS[25].hash();
    assert_eq!(proven.value_hash(&foreign), Err(ProofError::NotCovered { key: foreign }));
    assert_eq!(
        witness.update(&root, &[(foreign, None)]),
        Err(ProofError::NotCovered { key: foreign })
    );
    assert!(matches!(witness.update(&Hash::ZERO, &[]), Err(ProofError::Root { .. })));
    assert_eq!(witness.update(&root, &[]), Ok(root));
}

#[test]
fn a_witness_of_nothing_is_refused() {
    let (store, tree, _) = state();
    let witness = tree.witness(&store, &[]).unwrap();
    assert!(witness.verify(&tree.root()).is_err());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(crate::cases::cases(24)))]

    #[test]
    fn an_update_from_a_witness_equals_the_tree(
        writes in proptest::collection::vec(
            (0..60u32, proptest::option::of(proptest::collection::vec(any::<u8>(), 0..50))), 1..60,
        ),
        reads in proptest::collection::vec(0..40u32, 0..10),
    ) {
        let (store, tree, mut model) = state();
        // Present keys, some in shared buckets, and absent ones.
        let key = |i: u32| match KEYS.get(usize::try_from(i).unwrap()) {
            Some(key) => key.clone(),
            None => StateKey::new(Address([7; 32]), 0, &i.to_le_bytes()),
        };
        let changes: Vec<_> =
            writes.iter().map(|(i, value)| change(&key(*i), value.as_deref())).collect();
        let touched = writes.iter().map(|(i, _)| *i).chain(reads);
        let keys: Vec<_> = touched.map(|i| key(i).hash()).collect();

        let witness = tree.witness(&store, &keys).unwrap();
        let bytes = borsh::to_vec(&witness).unwrap();
        let witness: Witness = borsh::from_slice(&bytes).unwrap();
        let proven = witness.verify(&tree.root()).unwrap();
        for key in &keys {
            let value = store.get(key).unwrap();
            prop_assert_eq!(proven.value_hash(key), Ok(value.map(|value| value_hash(&value))));
        }
        let writes: Vec<_> = changes
            .iter()
            .map(|change| (*change.hash(), change.value().map(|value| value.as_slice())))
            .collect();
        let root = witness.update(&tree.root(), &writes).unwrap();
        prop_assert_eq!(root, tree.update(&store, &changes).unwrap().root());
        apply(&mut model, &changes);
        prop_assert_eq!(root, naive_root(&model));
    }

    #[test]
    fn any_bytes_are_refused_calmly(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        let root = Hash([1; 32]);
        if let Ok(witness) = borsh::from_slice::<Witness>(&bytes) {
            prop_assert!(witness.verify(&root).is_err());
        }
        if let Ok(proof) = borsh::from_slice::<Proof>(&bytes) {
            prop_assert!(proof.verify(&root, &absent(0), None).is_err());
        }
    }
}
