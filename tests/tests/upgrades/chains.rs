//! Upgrades on a `TestChain`: natively and on wasm alike.

use kempe_abi::{Outcome, TrapKind};
use kempe_counter::Tally;
use kempe_sdk::testing::{Instance, Receipt, TestChain, UpgradeOptions};
use kempe_tally_next::{Tally as Next, TallyError};
use kempe_tests::TALLY_NEXT;

/// Runs a story on each kind of chain and compares what it tells.
pub(crate) fn everywhere<T: PartialEq + std::fmt::Debug>(story: impl Fn(TestChain) -> T) {
    let wasm =
        [kempe_contracts::COUNTER, TALLY_NEXT, kempe_contracts::GOVERNANCE, kempe_contracts::TOKEN];
    let native = story(TestChain::native());
    assert_eq!(story(kempe_testing::wasm(&wasm)), native);
    assert_eq!(story(kempe_testing::wasm_sequential(&wasm)), native);
}

pub(crate) fn gist(receipt: &Receipt) -> (Outcome, Option<String>, Vec<String>) {
    (receipt.outcome, receipt.error_name.clone(), receipt.log.clone())
}

#[test]
fn a_test_chain_upgrades_by_the_rules() {
    everywhere(|mut chain| {
        let [ann, ben] = ["ann", "ben"].map(|name| chain.account(name));
        let tally = chain.deploy_upgradable::<Tally>(ann, ben, ());
        chain.send(ann, &tally, "raise", (9u64,)).assert_ok();
        let fixed = chain.deploy::<Tally>(ann, ());
        let options = UpgradeOptions { allow_wider: true, authority: Some(ann) };
        let narrow = UpgradeOptions { allow_wider: false, ..options };
        let mut told = Vec::new();
        for (from, contract, cap, options, outcome) in [
            (ann, tally, 5u64, options, Outcome::Trap(TrapKind::NotUpgradable)),
            (ben, fixed, 5, options, Outcome::Trap(TrapKind::NotUpgradable)),
            (ben, Instance::at(ann), 5, options, Outcome::Trap(TrapKind::NoSuchContract)),
            (ben, tally, 5, narrow, Outcome::Trap(TrapKind::UpgradeRefused)),
            (ben, tally, 0, options, Outcome::Revert(101)),
        ] {
            let refused = chain.try_upgrade::<Next>(from, &contract, (cap,), options);
            let receipt = refused.expect_err("it is refused");
            assert_eq!(receipt.outcome, outcome, "{receipt}");
            told.push(gist(&receipt));
            // Nothing of the new code is there, nor what its migration wrote.
            assert_eq!(
                chain.cell::<u64, _>(&Instance::<Next>::at(tally.address()), "cap", ()),
                None
            );
            chain.send(ann, &tally, "raise_slowly", (1u64,)).assert_ok();
        }
        let no_migrate = chain.try_upgrade::<Tally>(ben, &tally, (1u64,), narrow);
        told.push(gist(&no_migrate.expect_err("its code has no migrate")));
        assert_eq!(told[5].0, Outcome::Trap(TrapKind::BadArguments));

        let next = chain.upgrade::<Next>(ben, &tally, (5u64,), options);
        assert_eq!(chain.view::<u64>(&next, "total", ()), 14);
        assert_eq!(chain.view::<kempe_abi::Address>(&next, "migrated_by", ()), ben);
        chain.send(ann, &next, "raise", (6u64,)).assert_revert(TallyError::AboveCap);
        chain.send(ann, &next, "raise", (5u64,)).assert_ok();
        chain.send(ann, &tally, "lower", (1u64,)).assert_trap(TrapKind::NoSuchMethod);
        let block = [next.tx(ann, "raise", (1u64,)), next.tx(ben, "raise", (2u64,))];
        chain.block(block).assert_ok();
        // Nobody calls a migration; the old authority has none.
        let again = (ann, next.tx(ann, "migrate", (1u64,)));
        let report = chain.block([again.1]);
        report.receipts[0].assert_trap(TrapKind::NotPermitted);
        let handed_on = chain.try_upgrade::<Next>(ben, &next, (1u64,), options);
        told.push(gist(&handed_on.expect_err("ann is the authority")));
        // The same code again: its migration does not run, the authority goes.
        let last = UpgradeOptions::default();
        told.push(gist(&chain.try_upgrade::<Next>(ann, &next, (1u64,), last).unwrap_err()));
        chain.upgrade::<Next>(ann, &next, (), last);
        told.push(gist(&chain.try_upgrade::<Next>(ann, &next, (), last).unwrap_err()));
        assert_eq!(told[8].0, Outcome::Trap(TrapKind::NotUpgradable));
        (told, chain.view::<u64>(&next, "total", ()), chain.height())
    });
}

#[test]
fn an_authority_without_a_say_refuses() {
    everywhere(|mut chain| {
        let ann = chain.account("ann");
        let authority = chain.deploy::<Tally>(ann, ());
        let tally = chain.deploy_upgradable::<Tally>(ann, authority.address(), ());
        let refused = chain.try_upgrade::<Next>(ann, &tally, (1u64,), UpgradeOptions::default());
        let receipt = refused.expect_err("nobody agreed");
        receipt.assert_trap(TrapKind::NotUpgradable);
        assert!(receipt.log[0].contains("no `authorize_upgrade(UpgradeTerms)`"), "{receipt}");
        gist(&receipt)
    });
}

#[test]
fn a_snapshot_goes_its_own_way() {
    everywhere(|mut chain| {
        let ann = chain.account("ann");
        let tally = chain.deploy_upgradable::<Tally>(ann, ann, ());
        chain.send(ann, &tally, "raise", (3u64,)).assert_ok();
        let before = chain.snapshot();
        let (root, height) = (chain.root(), chain.height());
        let next = chain.upgrade::<Next>(
            ann,
            &tally,
            (5u64,),
            UpgradeOptions { allow_wider: true, authority: None },
        );
        chain.send(ann, &next, "raise", (4u64,)).assert_ok();
        let other = chain.deploy::<Tally>(ann, ());
        chain.advance_ms(10_000);
        let (root_after, fuel) = (chain.root(), chain.gas_report().of("Tally", "raise").len());
        assert!(fuel == 0 || fuel == 2);

        let mut chain = before;
        assert_eq!((chain.root(), chain.height()), (root, height));
        assert_eq!(chain.view::<u64>(&tally, "total", ()), 3);
        let gone = tally.tx(ann, "raise", (1u64,));
        let gone = kempe_sdk::testing::Tx { contract: other.address(), ..gone };
        chain.snapshot().block([gone]).receipts[0].assert_trap(TrapKind::NoSuchContract);
        // The same again leads to the same.
        let next = chain.upgrade::<Next>(
            ann,
            &tally,
            (5u64,),
            UpgradeOptions { allow_wider: true, authority: None },
        );
        chain.send(ann, &next, "raise", (4u64,)).assert_ok();
        chain.deploy::<Tally>(ann, ());
        assert_eq!(chain.root(), root_after);
        chain.view::<u64>(&next, "total", ())
    });
}
