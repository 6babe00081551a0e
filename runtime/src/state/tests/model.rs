//! A store against a map, in memory and on disk, with any budget of memory.

use std::sync::Arc;

use proptest::prelude::*;

use super::*;

/// What each block burns.
pub(super) const FUEL: u64 = 1_000_000;

#[derive(Clone, Debug)]
enum Step {
    /// A block: positions in `KEYS`, and values.
    Block(Vec<(usize, Option<Vec<u8>>)>),
    Checkpoint,
    Reopen,
}

fn step() -> impl Strategy<Value = Step> {
    let value = prop_oneof![
        3 => proptest::option::of(proptest::collection::vec(any::<u8>(), 0..40)),
        1 => proptest::collection::vec(any::<u8>(), 4_000..9_000).prop_map(Some),
    ];
    let change = (0..KEYS.len(), value);
    prop_oneof![
        5 => proptest::collection::vec(change, 0..12).prop_map(Step::Block),
        2 => Just(Step::Checkpoint),
        1 => Just(Step::Reopen),
    ]
}

/// A block's record is its number; what it changes is not in it, so whoever reopens brings it again.
pub(super) struct Blocks {
    pub(super) store: ChainStore,
    pub(super) tree: StateTree,
    pub(super) done: Vec<Vec<StateChange>>,
}

impl Blocks {
    pub(super) fn commit(&mut self, changes: Vec<StateChange>) -> Result<(), StoreError> {
        let height = self.store.height() + 1;
        self.store.append(&[&[b"block ", height.to_string().as_bytes()]])?;
        self.take_over(height, &changes)?;
        self.done.push(changes);
        Ok(())
    }

    fn take_over(&mut self, height: u64, changes: &[StateChange]) -> Result<(), StoreError> {
        let rows = Arc::new(Changes::of(changes));
        let name = |at: usize| {
            let hash = rows.keys().nth(at).unwrap();
            changes.iter().find(|change| *change.hash() == hash).unwrap().key().clone()
        };
        let before = self.tree.update_rows(self.store.state().table(), &rows)?;
        self.store.state().apply(height, &rows, name);
        let after = self.tree.update_rows(self.store.state().table(), &rows)?;
        assert_eq!(before.root(), after.root(), "an update does not mind what is applied already");
        self.tree.apply(before);
        let hashes = [Hash([u8::try_from(height % 256).unwrap(); 32])];
        self.store.state().archive(height, Arc::new(height.to_le_bytes().to_vec()), &hashes, FUEL);
        Ok(())
    }

    /// Opens the store again and repeats the blocks behind its checkpoint.
    pub(super) fn reopen(
        disk: &Disk,
        dir: &std::path::Path,
        memory_bytes: u64,
        mut done: Vec<Vec<StateChange>>,
    ) -> Result<Self, StoreError> {
        let (store, tree, height) = ChainStore::open(disk, dir, memory_bytes)?;
        done.truncate(usize::try_from(store.height()).unwrap());
        let mut blocks = Self { store, tree, done: Vec::new() };
        for (height, changes) in (1..).zip(&done).skip(usize::try_from(height).unwrap()) {
            blocks.take_over(height, changes)?;
        }
        blocks.done = done;
        Ok(blocks)
    }

    pub(super) fn model(&self) -> Model {
        let mut model = Model::new();
        self.done.iter().for_each(|changes| apply(&mut model, changes));
        model
    }

    /// Everything that can be read is what was written.
    pub(super) fn check(&self) {
        let model = self.model();
        let state = self.store.state().table();
        for key in &*KEYS {
            let found = state.get(&key.hash()).unwrap();
            let expected = model.get(&key.hash()).map(|(_, value)| value.as_slice());
            assert_eq!(found.as_deref(), expected);
        }
        let mut cells = Model::new();
        let mut visit = |name: &StateKey, value: &Bytes| {
            let cell = (name.clone(), value.to_vec());
            assert!(cells.insert(name.hash(), cell).is_none(), "each cell once");
            Ok(())
        };
        self.store.cells(&mut visit).unwrap();
        assert_eq!(cells, model);
        assert_eq!(self.tree.root(), StateTree::from_state(state).unwrap().root());
        assert_eq!(self.tree.root(), naive_root(&model));
        let height = self.store.height();
        assert_eq!(height, self.done.len() as u64);
        for height in 1..=height {
            let block = self.store.block(height).unwrap().unwrap();
            assert_eq!(block, format!("block {height}").into_bytes());
            let receipts = self.store.receipts(height).unwrap().unwrap();
            assert_eq!(**receipts, height.to_le_bytes());
            let hash = Hash([u8::try_from(height).unwrap(); 32]);
            let place = self.store.tx_location(&hash).unwrap();
            assert_eq!(place, Some(TxLocation { height, index: 0 }));
        }
        assert_eq!(self.store.block(height + 1).unwrap(), None);
        assert_eq!(self.store.receipts(height + 1).unwrap(), None);
        assert_eq!(self.store.tx_location(&Hash([0; 32])).unwrap(), None);
    }
}

fn run(memory_bytes: Option<u64>, steps: &[Step]) {
    let dir = tempfile::tempdir().unwrap();
    let disk = Disk::default();
    let mut blocks = match memory_bytes {
        None => {
            let store = ChainStore::in_memory(&[], b"block 0".to_vec());
            Blocks { store, tree: StateTree::empty(), done: Vec::new() }
        }
        Some(memory_bytes) => {
            ChainStore::create(&disk, dir.path(), &[], b"block 0").unwrap();
            Blocks::reopen(&disk, dir.path(), memory_bytes, Vec::new()).unwrap()
        }
    };
    for step in steps {
        match step {
            Step::Block(changes) => {
                let changes =
                    changes.iter().map(|(key, value)| change(&KEYS[*key], value.as_deref()));
                blocks.commit(changes.collect()).unwrap();
            }
            Step::Checkpoint => blocks.store.checkpoint().unwrap(),
            Step::Reopen => {
                if let Some(memory_bytes) = memory_bytes {
                    let Blocks { store, done, .. } = blocks;
                    drop(store);
                    blocks = Blocks::reopen(&disk, dir.path(), memory_bytes, done).unwrap();
                }
            }
        }
    }
    blocks.check();
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(crate::cases::cases(8)))]

    #[test]
    fn a_store_in_memory_is_a_map(steps in proptest::collection::vec(step(), 1..12)) {
        run(None, &steps);
    }

    #[test]
    fn a_store_on_disk_is_a_map(steps in proptest::collection::vec(step(), 1..20)) {
        run(Some(u64::MAX), &steps);
    }

    /// With nothing, and with hardly anything, in memory.
    #[test]
    fn a_store_larger_than_memory_is_a_map(
        steps in proptest::collection::vec(step(), 1..20),
        memory_bytes in prop_oneof![Just(0u64), Just(700)],
    ) {
        run(Some(memory_bytes), &steps);
    }
}

#[test]
fn many_rows_survive_merges_with_little_memory() {
    const N_KEYS: u32 = 4_000;
    let dir = tempfile::tempdir().unwrap();
    let disk = Disk::default();
    let key = |i: u32| StateKey::new(Address([4; 32]), 2, &i.to_le_bytes());
    ChainStore::create(&disk, dir.path(), &[], b"block 0").unwrap();
    let memory_bytes = 64 * u64::from(N_KEYS) / 8;
    let (mut store, mut tree, _) = ChainStore::open(&disk, dir.path(), memory_bytes).unwrap();
    let mut model = Model::new();
    for height in 1..=12u32 {
        let changes: Vec<_> = (0..N_KEYS)
            .filter(|i| i.is_multiple_of(height) || i % 97 == height)
            .map(|i| {
                let value = vec![height.to_le_bytes()[0]; (i % 40) as usize];
                change(&key(i), (i % 13 != height).then_some(&value[..]))
            })
            .collect();
        let rows = Arc::new(Changes::of(&changes));
        let mut names: Vec<_> = changes.iter().map(StateChange::key).collect();
        names.sort_by_key(|name| name.hash());
        store.state().apply(height.into(), &rows, |at| names[at].clone());
        assert!(store.state().table().used_bytes() <= memory_bytes);
        tree.apply(tree.update_rows(store.state().table(), &rows).unwrap());
        store.append(&[&[b"block"]]).unwrap();
        apply(&mut model, &changes);
        assert_eq!(tree.root(), naive_root(&model), "height={height}");
        if height.is_multiple_of(2) {
            store.checkpoint().unwrap();
        }
    }
    store.checkpoint().unwrap();
    drop(store);
    let (store, tree, height) = ChainStore::open(&disk, dir.path(), memory_bytes).unwrap();
    assert_eq!((tree.root(), height), (naive_root(&model), 12));
    assert!(store.state().table().used_bytes() <= memory_bytes + 64 * 1024);
    for (hash, (_, value)) in model.iter().step_by(37) {
        assert_eq!(store.state().table().get(hash).unwrap().as_deref(), Some(&value[..]));
    }
    let n_files = std::fs::read_dir(dir.path().join("state")).unwrap().count();
    assert!(n_files <= 8, "runs are merged, and the old ones removed: {n_files}");
}
