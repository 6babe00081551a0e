//! What waits for a checkpoint.

use super::model::{Blocks, FUEL};
use super::*;
use crate::state::store::LAG_TIMES_MAX;

const NO_LIMIT: Lag = Lag { bytes: u64::MAX, blocks: u64::MAX, fuel: u64::MAX };

fn block(height: u8) -> Vec<StateChange> {
    KEYS.iter().take(10).map(|key| change(key, Some(&[height; 20]))).collect()
}

/// Whatever it is that there is much of, no more waits than three times what may.
#[test]
fn what_waits_for_a_checkpoint_is_bounded() {
    for lag_max in [
        Lag { blocks: 3, ..NO_LIMIT },
        Lag { fuel: 3 * FUEL, ..NO_LIMIT },
        // Ten rows of 64 bytes a block, at least.
        Lag { bytes: 3_000, ..NO_LIMIT },
    ] {
        let dir = tempfile::tempdir().unwrap();
        ChainStore::create(&Disk::default(), dir.path(), &[], b"block 0").unwrap();
        let mut blocks = Blocks::reopen(&Disk::default(), dir.path(), 0, Vec::new()).unwrap();
        blocks.store.set_lag_max(lag_max);
        let mut n_checkpoints = 0;
        for height in 1..=40 {
            let before = blocks.store.state().lag().blocks;
            blocks.commit(block(height)).unwrap();
            blocks.store.keep_up().unwrap();
            let lag = blocks.store.state().lag();
            assert!(!lag.exceeds(&lag_max, LAG_TIMES_MAX), "{height}: {lag:?} of {lag_max:?}");
            assert!(height > 3 || lag.blocks == u64::from(height), "too early: {lag:?}");
            n_checkpoints += u32::from(lag.blocks <= before);
        }
        assert!(n_checkpoints < 40, "every block waited: {lag_max:?}");
        blocks.check();
    }
}
