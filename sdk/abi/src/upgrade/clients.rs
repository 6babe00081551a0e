//! What clients were written against besides a method's arguments and result: what its errors are called, the events,
//! and the interfaces.

use alloc::vec::Vec;

use crate::{Abi, ErrorSet, Event, Interface};

/// Whether each error that could be told by its code is told by it as before. There may be more.
pub(super) fn keeps_errors(old: Option<&ErrorSet>, new: Option<&ErrorSet>) -> bool {
    let cases = |set: Option<&ErrorSet>, name: &str, code: u32| {
        set.is_some_and(|set| set.cases.iter().any(|case| case.code == code && case.name == name))
    };
    old.is_none_or(|old| old.cases.iter().all(|case| cases(new, &case.name, case.code)))
}

/// An event that the new code does not have as it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EventChange<'a> {
    /// As it was.
    pub old: &'a Event,
    /// What has its name, and so its number in receipts, now.
    pub new: Option<&'a Event>,
}

/// The events that are not kept: those with other fields, which clients misread, and those that are gone. New
/// events are nobody's to refuse.
#[must_use]
pub fn events<'a>(old: &'a Abi, new: &'a Abi) -> Vec<EventChange<'a>> {
    let changes = old.events.iter().map(|old| {
        let new = new.events.iter().find(|new| new.name == old.name);
        EventChange { old, new }
    });
    changes.filter(|change| change.new.is_none_or(|new| new.fields != change.old.fields)).collect()
}

/// The interfaces that the contract no longer has.
#[must_use]
pub fn interfaces<'a>(old: &'a Abi, new: &Abi) -> Vec<&'a Interface> {
    old.interfaces.iter().filter(|interface| !new.interfaces.contains(interface)).collect()
}
