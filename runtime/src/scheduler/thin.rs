//! The thinned dependencies of a block in an order: what each access waits for, without the pairs
//! that follow from others.

use kempe_abi::AccessKind;

use super::Block;

/// Takes the dependencies as they are found.
pub(super) trait Sink {
    /// A node that takes no time: it stands for all members of a group.
    fn join(&mut self) -> u32;

    /// That `to` waits for `from`, because of the slot.
    fn edge(&mut self, from: u32, to: u32, slot: u32);
}

/// No node.
pub(super) const NONE: u32 = u32::MAX;

/// The transactions that touched a slot last, as a linked list in `members`.
#[derive(Clone, Copy)]
struct Group {
    kind: AccessKind,
    /// The last member; [`NONE`] in a slot that nobody touched.
    last: u32,
    len: u32,
    /// What every member waits for: a transaction, or the join of the group before.
    gate: u32,
}

/// For each access: its transaction, and the member of the group before it.
#[derive(Default)]
struct Members(Vec<(u32, u32)>);

impl Members {
    fn push(&mut self, tx: u32, before: u32) -> u32 {
        let at = u32::try_from(self.0.len()).expect("a block has fewer than 2^32 accesses");
        self.0.push((tx, before));
        at
    }

    fn edges_to(&self, last: u32, node: u32, slot: u32, sink: &mut impl Sink) {
        let mut at = last;
        while at != NONE {
            let (member, before) = self.0[at as usize];
            sink.edge(member, node, slot);
            at = before;
        }
    }
}

/// Every conflict: each access waits for the group of accesses before it that it conflicts with.
/// At most two edges for each access.
pub(super) fn conflicts(block: &Block<'_>, order: impl Iterator<Item = u32>, sink: &mut impl Sink) {
    let accesses = block.accesses();
    let untouched = Group { kind: AccessKind::Read, last: NONE, len: 0, gate: NONE };
    let mut groups = vec![untouched; accesses.n_slots()];
    let mut members = Members(Vec::with_capacity(accesses.n_accesses()));
    for tx in order {
        for access in accesses.of(tx) {
            let group = &mut groups[access.slot as usize];
            touch(group, &mut members, tx, access.slot, access.kind, sink);
        }
    }
}

fn touch(
    group: &mut Group,
    members: &mut Members,
    tx: u32,
    slot: u32,
    kind: AccessKind,
    sink: &mut impl Sink,
) {
    let joins_group = group.last != NONE && !group.kind.conflicts(kind);
    let (before, len, gate) = if group.last == NONE {
        (NONE, 1, NONE)
    } else if joins_group {
        (group.last, group.len + 1, group.gate)
    } else if group.len == 1 {
        (NONE, 1, members.0[group.last as usize].0)
    } else if kind == AccessKind::Write {
        // The next group conflicts with this writer, so nobody else will wait for the readers.
        members.edges_to(group.last, tx, slot, sink);
        (NONE, 1, NONE)
    } else {
        let join = sink.join();
        members.edges_to(group.last, join, slot, sink);
        (NONE, 1, join)
    };
    if gate != NONE {
        sink.edge(gate, tx, slot);
    }
    *group = Group { kind, last: members.push(tx, before), len, gate };
}

/// What a reader of a slot needs.
#[derive(Clone, Copy)]
struct Version {
    /// The last writer, or the join that folded additions into its value.
    base: u32,
    /// The last of the additions since, in `members`.
    added: u32,
}

/// Only what is read after it was written: with a version for each write nothing else waits. An
/// addition waits for nobody; a reader waits for the last writer and for all additions since. A
/// write that is [blind](Block::is_blind) waits for nobody either.
///
/// Source: J. Faleiro and D. Abadi, "Rethinking serializable multiversion concurrency control"
/// (BOHM), VLDB 2015.
pub(super) fn reads_after_writes(
    block: &Block<'_>,
    order: impl Iterator<Item = u32>,
    sink: &mut impl Sink,
) {
    let accesses = block.accesses();
    let mut versions = vec![Version { base: NONE, added: NONE }; accesses.n_slots()];
    let mut members = Members(Vec::new());
    for tx in order {
        for (at, access) in accesses.of(tx).iter().enumerate() {
            let (slot, version) = (access.slot, &mut versions[access.slot as usize]);
            match access.kind {
                AccessKind::Add => version.added = members.push(tx, version.added),
                AccessKind::Read => {
                    fold(version, &members, slot, sink);
                    if version.base != NONE {
                        sink.edge(version.base, tx, slot);
                    }
                }
                AccessKind::Write => {
                    if !block.is_blind(tx, at) {
                        members.edges_to(version.added, tx, slot, sink);
                        if version.base != NONE {
                            sink.edge(version.base, tx, slot);
                        }
                    }
                    *version = Version { base: tx, added: NONE };
                }
            }
        }
    }
}

/// Makes one node of the last writer and the additions since, so that n additions and m readers are
/// n + m edges.
fn fold(version: &mut Version, members: &Members, slot: u32, sink: &mut impl Sink) {
    if version.added == NONE {
        return;
    }
    let (only, before) = members.0[version.added as usize];
    if version.base == NONE && before == NONE {
        version.base = only;
    } else {
        let join = sink.join();
        if version.base != NONE {
            sink.edge(version.base, join, slot);
        }
        members.edges_to(version.added, join, slot, sink);
        version.base = join;
    }
    version.added = NONE;
}
