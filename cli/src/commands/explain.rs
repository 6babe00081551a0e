//! `kempe explain`: what a transaction declares, what it touched, and who it waits for.

use std::fmt::Write;

use kempe_abi::AccessKind;
use kempe_runtime::access::{AccessList, ListedKey};
use kempe_runtime::chain::Chain;
use kempe_runtime::executor::Interned;
use kempe_runtime::scheduler::{Accesses, Block, ConflictGraph};
use kempe_runtime::types::BlockRecord;
use serde::Serialize;

use crate::args::{Global, HELP};
use crate::describe::{BoundView, Describer};
use crate::output::{Failure, Output, excerpt};
use crate::report::TxView;
use crate::session::{ChainArgs, Session};
use crate::{footprint, locate};

const EXAMPLES: &str = "\
Examples:
  kempe explain 0x72f4675945fe87bedb2416aa07500247fda8428581970c111d44bcc11c822ab9
  kempe explain 3:7                 the transaction at position 7 of block 3

Who waits for whom follows the published order of the block: the batches, then the tail lane.";

/// How many waits are shown as text.
const WAITS_SHOWN: usize = 20;

/// The arguments of `kempe explain`.
#[derive(Debug, clap::Args)]
#[command(before_help = EXAMPLES, help_template = HELP)]
pub struct Args {
    /// The transaction's hash, or HEIGHT:INDEX
    tx: String,

    #[command(flatten)]
    chain: ChainArgs,
}

#[derive(Serialize)]
struct Explained {
    #[serde(flatten)]
    tx: TxView,
    batches: usize,
    list: Option<Vec<EntryView>>,
    waits_for: Vec<WaitView>,
}

#[derive(Serialize)]
struct EntryView {
    kind: &'static str,
    key: String,
    /// How it was touched, if that is known.
    touched: Option<Vec<&'static str>>,
    /// How much may be taken of a stock for which nothing else is declared.
    #[serde(skip_serializing_if = "Option::is_none")]
    takes: Option<TakesView>,
}

/// What is declared of a stock that is taken from, and what follows for the block.
#[derive(Serialize)]
struct TakesView {
    may_take: BoundView,
    /// What all transactions of the block declare that they take.
    block: BoundView,
    /// Whether one of them may write it.
    is_written: bool,
    /// Whether two that take ran in one batch: nobody could be refused.
    is_together: bool,
    /// Whether nothing else of the block takes from it.
    is_alone: bool,
}

#[derive(Serialize)]
struct WaitView {
    index: usize,
    batch: Option<usize>,
    action: String,
    sender: String,
    key: String,
    /// What this transaction declares for the key, and what the other does.
    kind: &'static str,
    other_kind: &'static str,
}

pub(super) fn run(args: &Args, global: &Global, output: &Output) -> Result<(), Failure> {
    let session = Session::open(&args.chain, global)?;
    let (record, index) = locate::transaction(&session.chain, &args.tx)?;
    let explained = explain(&session, &record, index)?;
    Ok(output.result(text(&explained), &explained)?)
}

fn explain(session: &Session, record: &BlockRecord, index: usize) -> Result<Explained, Failure> {
    let chain: &Chain = &session.chain;
    let describer = Describer::new(chain, &session.names);
    let interned = chain.lists(&record.block)?;
    let tx = TxView::new(&describer, record, index).expect("the position was checked");
    let planned_tail = record.block.schedule.tail().iter().any(|&at| at as usize == index);
    let list = u32::try_from(index).ok().and_then(|index| interned.lists().of(index));
    let entries = list.filter(|_| !planned_tail).map(|list| {
        let kind = |key: &ListedKey<'_>| key.bound.map_or(key.kind, |_| AccessKind::Add);
        let kinds: Vec<_> = list.iter().map(|key| (key.hash, kind(&key))).collect();
        let touched = footprint::recover(&kinds, &record.receipts[index].footprint);
        let entry = |(at, key): (usize, ListedKey<'_>)| EntryView {
            kind: describer.entry_word(&key.state_key(), key.kind, key.bound),
            key: describer.key(&key.state_key()),
            touched: touched.as_ref().map(|bits| {
                let bound = |kind| key.bound.filter(|_| kind == AccessKind::Add);
                let word = |kind| describer.entry_word(&key.state_key(), kind, bound(kind));
                footprint::words(bits[at], word)
            }),
            takes: takes(&interned, &key),
        };
        list.iter().enumerate().map(entry).collect()
    });
    let waits_for = waits(&describer, record, &interned, index)?;
    let batches = record.block.schedule.n_batches();
    Ok(Explained { tx, batches, list: entries, waits_for })
}

fn takes(interned: &Interned, key: &ListedKey<'_>) -> Option<TakesView> {
    let (may_take, (escrow, is_together)) = (key.bound?, interned.lists().escrow(&key.hash)?);
    let takes = |list: AccessList<'_>| {
        list.iter().any(|other| other.hash == key.hash && other.bound.is_some())
    };
    let lists = (0..).take(interned.accesses().n_txs()).filter_map(|tx| interned.lists().of(tx));
    let n_taking = lists.filter(|list| takes(*list)).take(2).count();
    Some(TakesView {
        may_take: may_take.into(),
        block: escrow.all().into(),
        is_written: escrow.is_broken(),
        is_together,
        is_alone: n_taking < 2,
    })
}

/// Who a transaction waits for in the published order.
fn waits(
    describer: &Describer<'_>,
    record: &BlockRecord,
    interned: &Interned,
    index: usize,
) -> Result<Vec<WaitView>, Failure> {
    let schedule = &record.block.schedule;
    // The graph is over the order in which transactions are given, so they are given as published.
    let order = schedule.order();
    let in_tail = |tx: u32| schedule.tail().contains(&tx);
    let mut published = Accesses::default();
    for &tx in order {
        let row = if in_tail(tx) { &[][..] } else { interned.accesses().of(tx) };
        published.push_tx(row.iter().copied());
    }
    let graph = ConflictGraph::new(&Block::new(&published, &[], &[], &[])?);
    let Some(place) = (0u32..).zip(order).find(|(_, tx)| **tx as usize == index) else {
        return Ok(Vec::new());
    };
    let kind_of = |place: u32, slot: u32| {
        let access = published.of(place).iter().find(|access| access.slot == slot);
        let kind = access.map_or(AccessKind::Read, |access| access.kind);
        let key = interned.key(slot);
        let list = interned.lists().of(order[place as usize]);
        let listed = list.and_then(|list| list.iter().find(|entry| entry.hash == key.hash));
        describer.entry_word(&key.state_key(), kind, listed.and_then(|entry| entry.bound))
    };
    let view = |wait: kempe_runtime::scheduler::Wait| {
        let at = order[wait.tx as usize] as usize;
        let other = TxView::new(describer, record, at)?;
        Some(WaitView {
            index: at,
            batch: other.batch,
            action: other.actions.join("; "),
            sender: other.sender,
            key: describer.key(&interned.key(wait.slot).state_key()),
            kind: kind_of(place.0, wait.slot),
            other_kind: kind_of(wait.tx, wait.slot),
        })
    };
    Ok(graph.waits_for(place.0).into_iter().filter_map(view).collect())
}

impl TakesView {
    fn text(&self) -> String {
        let Self { may_take, block, .. } = self;
        let follows = if self.is_written {
            "in order, because one writes it"
        } else if self.is_alone {
            "nothing else takes from it"
        } else if self.is_together {
            "in any order, because so much was there before the block"
        } else {
            "in order, as where less is there before the block"
        };
        format!("at most {may_take}; all of the block at most {block}: {follows}")
    }
}

fn text(explained: &Explained) -> String {
    let mut text = explained.tx.text();
    let mut put = |line: String| writeln!(text, "{line}").expect("a string takes any text");
    match &explained.list {
        None => {
            put("\nno access list: it ran one by one in the tail lane, after all batches".into())
        }
        Some(list) => {
            put("\naccess list".into());
            for entry in list {
                let touched = match &entry.touched {
                    None => String::new(),
                    Some(words) if words.is_empty() => "  not touched".into(),
                    Some(words) => format!("  touched: {}", words.join(", ")),
                };
                put(format!("  {:7}  {}{touched}", entry.kind, entry.key));
                if let Some(takes) = &entry.takes {
                    put(format!("           {}", takes.text()));
                }
            }
        }
    }
    if explained.waits_for.is_empty() {
        put("\nwaits for nobody".into());
    } else {
        put("\nwaits for".into());
    }
    for wait in explained.waits_for.iter().take(WAITS_SHOWN) {
        let reason = if wait.kind == wait.other_kind {
            format!("both {} {}", wait.kind, wait.key)
        } else {
            format!("{} {} here, {} there", wait.key, wait.kind, wait.other_kind)
        };
        let batch = wait.batch.map_or("tail".into(), |batch| format!("batch {batch}"));
        put(format!("  tx {} ({batch}): {reason}", wait.index));
        put(format!("       {} by {}", excerpt(&wait.action), wait.sender));
    }
    if let Some(more) = explained.waits_for.len().checked_sub(WAITS_SHOWN).filter(|&n| n > 0) {
        put(format!("  ... and {more} more: --json shows all"));
    }
    text
}
