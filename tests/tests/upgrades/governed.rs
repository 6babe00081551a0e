//! Upgrades that an organization decides: natively and on wasm alike.

use kempe_abi::upgrade::UpgradeTerms;
use kempe_abi::{Address, Hash, Outcome, TrapKind};
use kempe_counter::Tally;
use kempe_governance::{Agreed, Choice, Governance, GovernanceError, Proposal, Settings, Step};
use kempe_sdk::hash;
use kempe_sdk::testing::{Instance, TestChain, UpgradeOptions};
use kempe_tally_next::Tally as Next;
use kempe_token::Token;

use crate::chains::{everywhere, gist};

/// An organization of one member.
struct Organization {
    gov: Instance<Governance>,
    member: Address,
    n_decided: u64,
}

impl Organization {
    fn new(chain: &mut TestChain) -> Self {
        let member = chain.account("member");
        let token = chain.deploy::<Token>(member, (member,));
        let settings = Settings {
            delay_ms: 5_000,
            voting_ms: 10_000,
            timelock_ms: 10_000,
            grace_ms: 100_000,
            quorum_bp: 5_000,
            quorum_min: 0,
            threshold: 1,
        };
        let args = (token.address(), settings);
        let gov = chain.deploy_upgradable::<Governance>(member, member, args);
        chain.send(member, &token, "mint", (member, 10u128)).assert_ok();
        chain.send(member, &token, "approve", (gov.address(), 10u128)).assert_ok();
        chain.send(member, &gov, "lock", (10u128,)).assert_ok();
        Self { gov, member, n_decided: 0 }
    }

    /// Proposes to agree to an upgrade, votes for it and executes it. Gives the time at which it expires.
    fn decide(&mut self, chain: &mut TestChain, terms: &UpgradeTerms) -> u64 {
        self.n_decided += 1;
        let steps = vec![Step::Upgrade { contract: terms.contract, terms: hash(terms) }];
        let args = (steps, Hash::ZERO, self.n_decided);
        let id: Hash = chain.send(self.member, &self.gov, "propose", args).value();
        let proposal: Proposal =
            chain.view::<Option<Proposal>>(&self.gov, "proposal", (id,)).expect("it is there");
        chain.set_time_ms(proposal.begin_ms);
        chain.send(self.member, &self.gov, "vote", (id, Choice::For)).assert_ok();
        chain.set_time_ms(proposal.ready_ms);
        let anybody = chain.account("anybody");
        chain.send(anybody, &self.gov, "execute", (id,)).assert_ok();
        proposal.expires_ms
    }

    fn agreed(&self, chain: &mut TestChain, contract: Address) -> Option<Agreed> {
        chain.view(&self.gov, "agreed_upgrade", (contract,))
    }
}

const NOT_AGREED: Outcome = Outcome::Revert(GovernanceError::NotAgreed as u32);

#[test]
fn what_was_agreed_to_is_sent_by_anybody_and_once() {
    everywhere(|mut chain| {
        let mut org = Organization::new(&mut chain);
        let (gov, zoe) = (org.gov.address(), chain.account("zoe"));
        let tally = chain.deploy_upgradable::<Tally>(zoe, gov, ());
        chain.send(zoe, &tally, "raise", (9u64,)).assert_ok();
        let options = UpgradeOptions { allow_wider: true, authority: Some(gov) };
        let terms = chain.upgrade_terms::<Next>(&tally, (5u64,), options);
        let mut told = Vec::new();
        let mut refused = |chain: &mut TestChain, receipt: Box<kempe_sdk::testing::Receipt>| {
            assert_eq!(receipt.outcome, NOT_AGREED, "{receipt}");
            assert_eq!(chain.view::<u64>(&tally, "total", ()), 9);
            told.push(gist(&receipt));
        };
        for from in [zoe, org.member] {
            let early = chain.try_upgrade::<Next>(from, &tally, (5u64,), options);
            refused(&mut chain, early.unwrap_err());
        }
        org.decide(&mut chain, &terms);
        let agreed = org.agreed(&mut chain, tally.address());
        assert_eq!(agreed.map(|agreed| agreed.terms), Some(hash(&terms)));

        // Another code, other arguments, another flag, another authority.
        let code = chain.try_upgrade::<Tally>(zoe, &tally, (), options);
        refused(&mut chain, code.unwrap_err());
        let args = chain.try_upgrade::<Next>(zoe, &tally, (6u64,), options);
        refused(&mut chain, args.unwrap_err());
        for options in [
            UpgradeOptions { allow_wider: false, ..options },
            UpgradeOptions { authority: Some(zoe), ..options },
            UpgradeOptions { authority: None, ..options },
        ] {
            let other = chain.try_upgrade::<Next>(zoe, &tally, (5u64,), options);
            refused(&mut chain, other.unwrap_err());
        }
        let direct = chain.send(zoe, &org.gov, "authorize_upgrade", (terms.clone(),));
        direct.assert_revert(GovernanceError::NotHost);
        assert_eq!(org.agreed(&mut chain, tally.address()), agreed, "nothing uses it up");

        let next = chain.upgrade::<Next>(zoe, &tally, (5u64,), options);
        assert_eq!(chain.view::<Option<u64>>(&next, "cap", ()), Some(5));
        assert_eq!(chain.view::<Address>(&next, "migrated_by", ()), gov);
        assert_eq!(org.agreed(&mut chain, tally.address()), None);
        let again = chain.try_upgrade::<Next>(zoe, &tally, (5u64,), options);
        refused(&mut chain, again.unwrap_err());
        (told, chain.view::<u64>(&next, "total", ()))
    });
}

#[test]
fn an_agreement_does_not_make_code_fit_and_ends() {
    everywhere(|mut chain| {
        let mut org = Organization::new(&mut chain);
        let (gov, zoe) = (org.gov.address(), chain.account("zoe"));
        let tally = chain.deploy_upgradable::<Tally>(zoe, gov, ());
        let narrow = UpgradeOptions { allow_wider: false, authority: Some(gov) };
        let terms = chain.upgrade_terms::<Next>(&tally, (5u64,), narrow);
        let until_ms = org.decide(&mut chain, &terms);
        let wider = chain.try_upgrade::<Next>(zoe, &tally, (5u64,), narrow).unwrap_err();
        wider.assert_trap(TrapKind::UpgradeRefused);
        assert!(wider.log[0].contains("`raise` may touch more than before"), "{wider}");
        let agreed = Some(Agreed { terms: hash(&terms), until_ms });
        assert_eq!(org.agreed(&mut chain, tally.address()), agreed, "it is not used up");

        // A migration that fails leaves it, too; in the end it expires.
        let options = UpgradeOptions { allow_wider: true, authority: None };
        let terms = chain.upgrade_terms::<Next>(&tally, (0u64,), options);
        let until_ms = org.decide(&mut chain, &terms);
        let fails = chain.try_upgrade::<Next>(zoe, &tally, (0u64,), options).unwrap_err();
        assert_eq!(fails.outcome, Outcome::Revert(101), "{fails}");
        let agreed = Some(Agreed { terms: hash(&terms), until_ms });
        assert_eq!(org.agreed(&mut chain, tally.address()), agreed);
        chain.set_time_ms(until_ms);
        let late = chain.try_upgrade::<Next>(zoe, &tally, (0u64,), options).unwrap_err();
        assert_eq!(late.outcome, NOT_AGREED, "{late}");
        [wider, fails, late].map(|receipt| gist(&receipt))
    });
}

#[test]
fn an_organization_decides_about_its_own_code() {
    everywhere(|mut chain| {
        let mut org = Organization::new(&mut chain);
        let (gov, zoe) = (org.gov.address(), chain.account("zoe"));
        let own = UpgradeOptions { allow_wider: false, authority: Some(gov) };
        let instance = org.gov;
        chain.upgrade::<Governance>(org.member, &instance, (), own);
        let last = UpgradeOptions { allow_wider: false, authority: None };
        let early = chain.try_upgrade::<Governance>(org.member, &instance, (), last).unwrap_err();
        assert_eq!(early.outcome, NOT_AGREED, "{early}");
        let terms = chain.upgrade_terms::<Governance>(&instance, (), last);
        org.decide(&mut chain, &terms);
        chain.upgrade::<Governance>(zoe, &instance, (), last);
        assert_eq!(org.agreed(&mut chain, gov), None);
        let late = chain.try_upgrade::<Governance>(zoe, &instance, (), last).unwrap_err();
        late.assert_trap(TrapKind::NotUpgradable);
        [early, late].map(|receipt| gist(&receipt))
    });
}
