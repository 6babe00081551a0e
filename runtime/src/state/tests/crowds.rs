//! Keys that begin alike, as somebody makes them who looks for such.

use super::super::hash::N_HASHED_ROWS;
use super::*;
use crate::state::row::key as key_of_row;

/// Numbers that are the same each time.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (self.0 >> 33) % bound
    }

    fn byte(&mut self, bound: u64) -> u8 {
        u8::try_from(self.below(bound)).unwrap()
    }

    /// A key of few that begin alike for up to twelve digits, and sometimes one of elsewhere.
    fn key(&mut self) -> KeyHash {
        let mut hash = [0; 32];
        hash[0] = u8::from(self.below(16) == 0);
        hash[2] = [0, 0, 0, 0x70][usize::try_from(self.below(4)).unwrap()];
        let n_alike = usize::try_from(self.below(4)).unwrap();
        for byte in &mut hash[3 + n_alike..7] {
            *byte = self.byte(6) * 43;
        }
        hash[31] = self.byte(5);
        KeyHash(hash)
    }
}

fn change_of(hash: KeyHash, value: Option<&[u8]>) -> StateChange {
    let value = value.map(Bytes::from_slice);
    StateChange::new(StateKey::new(Address(hash.0), 0, &[]), hash, value)
}

/// Changes of which about two thirds put something.
fn changes(random: &mut Random, n: usize, put_of_8: u64) -> Vec<StateChange> {
    let mut changes: BTreeMap<KeyHash, Option<Vec<u8>>> = BTreeMap::new();
    for _ in 0..n {
        let is_put = random.below(8) < put_of_8;
        let length = usize::try_from(random.below(50)).unwrap();
        changes.insert(random.key(), is_put.then(|| vec![random.byte(200); length]));
    }
    let change = |(hash, value): (KeyHash, Option<Vec<u8>>)| change_of(hash, value.as_deref());
    changes.into_iter().map(change).collect()
}

#[test]
fn a_crowd_comes_and_goes_and_its_root_is_that_of_the_definition() {
    let mut random = Random(3);
    let (before, state) = (StateTable::new(), StateTable::new());
    let mut model = Model::new();
    // The same tree over rows that have the changes already, and over rows that have not.
    let mut trees = [StateTree::empty(), StateTree::empty()];
    let mut most = 0;
    for round in 0..24 {
        // Up to thousands of rows, and down to none.
        let put_of_8 = if round < 12 { 6 } else { 1 };
        let changes = changes(&mut random, [900, 40, 9, 1][round % 4], put_of_8);
        let is_new =
            |change: &StateChange| change.value().is_some() && !model.contains_key(change.hash());
        let new = changes.iter().enumerate().filter(|(_, change)| is_new(change));
        let new: Vec<usize> = new.map(|(at, _)| at).collect();
        let rows = Changes::of(&changes);
        assert_eq!(state.apply_rows(&rows), new, "round={round}");
        for (tree, table) in trees.iter_mut().zip([&before, &state]) {
            let update = tree.update_rows(table, &rows).unwrap();
            tree.apply(update);
        }
        before.apply_changes(&rows);
        apply(&mut model, &changes);
        most = most.max(model.len());
        for (hash, (_, value)) in &model {
            assert_eq!(state.get(hash).unwrap().as_deref(), Some(&value[..]));
        }
        assert_eq!(state.n_rows().unwrap(), model.len() as u64);
        let expected = naive_root(&model);
        assert_eq!(trees.each_ref().map(StateTree::root), [expected; 2], "round={round}");
        assert_eq!(StateTree::from_state(&state).unwrap().root(), expected);
        // A tree that has nothing but hashes finds the insides of buckets again.
        let mut bare = StateTree::from_buckets(bucket_hashes(&state, 0..BUCKETS).unwrap());
        assert_eq!(bare.root(), expected);
        let more = Changes::of(&[change_of(KeyHash([0; 32]), Some(b"more"))]);
        let update = bare.update_rows(&state, &more).unwrap();
        assert_eq!(update.root(), trees[0].update_rows(&state, &more).unwrap().root());
        bare.apply(update);
    }
    assert!(most > 1_000, "{most}");
    let all: Vec<_> =
        model.values().map(|(key, _)| change_of(KeyHash(key.contract.0), None)).collect();
    assert_eq!(trees[0].update(&state, &all).unwrap().root(), Hash::ZERO);
}

fn crowd() -> (StateTable, StateTree, Model) {
    let (state, mut model) = (StateTable::new(), Model::new());
    let changes = changes(&mut Random(7), 3_000, 8);
    apply(&mut model, &changes);
    state.apply(&changes);
    let tree = StateTree::from_state(&state).unwrap();
    (state, tree, model)
}

#[test]
fn a_proof_of_a_crowd_has_few_rows() {
    let (state, tree, model) = crowd();
    let mut random = Random(11);
    let mut deepest = 0;
    for _ in 0..300 {
        let key = random.key();
        let value = model.get(&key).map(|(_, value)| &value[..]);
        let proof = tree.prove(&state, &key).unwrap();
        assert!(proof.rows.len() <= 16);
        deepest = deepest.max(proof.path.len());
        assert_eq!(proof.verify(&tree.root(), &key, value), Ok(()));
        let other = if value.is_some() { None } else { Some(&b"any"[..]) };
        assert_eq!(proof.verify(&tree.root(), &key, other), Err(ProofError::Value { key }));
        // A node more or less is another root, or no path.
        for change in [
            |proof: &mut Proof| drop(proof.path.remove(0)),
            |proof: &mut Proof| {
                proof.path.insert(0, Siblings::default());
            },
        ] {
            let mut changed = proof.clone();
            change(&mut changed);
            assert!(changed.verify(&tree.root(), &key, value).is_err());
        }
    }
    assert!(deepest > LEVELS + 3, "{deepest}");
    let bare = StateTree::from_buckets(bucket_hashes(&state, 0..BUCKETS).unwrap());
    let key = random.key();
    assert_eq!(bare.prove(&state, &key).unwrap(), tree.prove(&state, &key).unwrap());
}

#[test]
fn a_path_longer_than_a_key_is_refused() {
    let proof = Proof { rows: Vec::new(), path: vec![Siblings::default(); 65] };
    let refused = proof.verify(&Hash::ZERO, &KeyHash([0; 32]), None);
    assert!(matches!(refused, Err(ProofError::Malformed { .. })));
}

#[test]
fn a_witness_of_a_crowd_leads_to_the_same_root() {
    let (state, tree, mut model) = crowd();
    let changes = changes(&mut Random(13), 700, 3);
    let keys: Vec<KeyHash> = changes.iter().map(|change| *change.hash()).collect();
    let witness = tree.witness(&state, &keys).unwrap();
    let writes: Vec<_> = changes
        .iter()
        .map(|change| (*change.hash(), change.value().map(|value| value.as_slice())))
        .collect();
    apply(&mut model, &changes);
    assert_eq!(witness.update(&tree.root(), &writes).unwrap(), naive_root(&model));
}

/// A row costs as much in a crowd as beside it: what is hashed does not grow with the rows.
#[test]
fn a_row_of_a_crowd_is_hashed_with_few_others() {
    let state = StateTable::new();
    let key = |number: u32| {
        let mut hash = [0; 32];
        hash[4..8].copy_from_slice(&number.wrapping_mul(0x9e37_79b9).to_be_bytes());
        KeyHash(hash)
    };
    let all: Vec<_> = (0..50_000).map(|number| change_of(key(number), Some(&[1]))).collect();
    state.apply(&all);
    let mut tree = StateTree::from_state(&state).unwrap();
    let row = state.with_bucket(0, |rows| rows.part(&key(77).0, 40)[0]).unwrap();
    assert_eq!(*key_of_row(&row), key(77).0);
    let mut most = 0;
    for round in 0..200u32 {
        let changes = [change_of(key(round * 200), Some(&[2]))];
        let before = N_HASHED_ROWS.get();
        // One change is hashed by the thread that asks.
        let update = tree.update(&state, &changes).unwrap();
        let n_hashed = N_HASHED_ROWS.get() - before;
        assert!(n_hashed > 0);
        most = most.max(n_hashed);
        tree.apply(update);
        state.apply(&changes);
    }
    // The rows of one part, of which there are 50,000 / 16^4 at most.
    assert!(most <= 16, "{most} of 50,000 rows");
    assert_eq!(tree.root(), StateTree::from_state(&state).unwrap().root());
}

#[test]
fn parts_are_kept_of_large_buckets_only() {
    let change = |at: u16| {
        let mut key = KeyHash([0; 32]);
        // Spread over the bucket.
        key.0[3..5].copy_from_slice(&at.wrapping_mul(40_503).to_be_bytes());
        change_of(key, Some(&at.to_be_bytes()))
    };
    let (state, mut tree, mut model) = (StateTable::new(), StateTree::empty(), Model::new());
    for (from, to, is_kept) in [(0, 100, false), (100, 256, false), (256, 257, true)] {
        let changes: Vec<_> = (from..to).map(change).collect();
        let update = tree.update(&state, &changes).unwrap();
        tree.apply(update);
        state.apply(&changes);
        apply(&mut model, &changes);
        assert_eq!(tree.root(), naive_root(&model));
        assert_eq!(tree.n_kept(), usize::from(is_kept), "{to} rows");
        assert_eq!(StateTree::from_state(&state).unwrap().n_kept(), usize::from(is_kept));
    }
    let fewer = [StateChange::new(change(3).key().clone(), *change(3).hash(), None)];
    let update = tree.update(&state, &fewer).unwrap();
    tree.apply(update);
    apply(&mut model, &fewer);
    assert_eq!((tree.root(), tree.n_kept()), (naive_root(&model), 0));
}
