//! An estimate of the work that compiling a function takes.
//!
//! The size of a body bounds the work badly: a kilobyte of nested blocks that assign many locals
//! costs as much as a megabyte of arithmetic, because the compiler gives each local that differs
//! between the ways into a join a value there, on each way. So each instruction has a price, each
//! join the price of the values that can meet in it, and the sums are limited. One unit is about a
//! microsecond of one core in the worst case that was found; ordinary code takes a third of it.

use wasmparser::Operator;

use super::limits;
use super::refusal::Refusal;
use super::scan::{check, len};

/// A function: prologue, epilogue, tables. Measured 50 us, and 120 on a machine that others use too.
const FUNCTION: u64 = 120;
/// A parameter: where a function is in the table or exported, a second function takes its parameters from
/// memory and calls it. Measured 8 us.
const PARAM: u64 = 8;
/// A local: its first value. Counted because each block of the function can carry it.
const LOCAL: u64 = 2;
/// How many values in how many blocks cost one unit: the compiler tracks what is alive where.
/// Measured 0.1 to 0.3 us.
const LIVE_PER_UNIT: u64 = 4;
/// A value that meets others in a join, on one way into it. Measured 1 to 3 us below the
/// limit of one function, 16 us at four times the limit.
const JOIN_VALUE: u64 = 5;

/// Adds up the work of one function.
#[derive(Debug, Default)]
pub(super) struct Effort {
    total: u64,
    values: u64,
    /// Values times blocks.
    live: u64,
    /// For each local, the number of the last instruction that assigned it, or 0.
    assigned: Vec<u32>,
    now: u32,
    open: Vec<Label>,
}

/// An open block.
#[derive(Debug)]
struct Label {
    /// The number of its first instruction.
    start: u32,
    /// The ways into its join.
    ways: u64,
}

impl Effort {
    /// A function with as many parameters and locals, of which `params` are parameters.
    pub(super) fn new(locals: usize, params: u64) -> Self {
        let total = FUNCTION + PARAM * params + LOCAL * len(locals);
        Self { total, assigned: vec![0; locals], ..Self::default() }
    }

    /// The sum.
    pub(super) const fn total(&self) -> u64 {
        self.total + self.live / LIVE_PER_UNIT
    }

    /// Adds an instruction that was validated; `operands` are on the stack behind it.
    pub(super) fn add(
        &mut self,
        op: &Operator<'_>,
        operands: u64,
        offset: usize,
    ) -> Result<(), Refusal> {
        self.now = self.now.saturating_add(1);
        self.total += price(op);
        match op {
            Operator::LocalSet { local_index } | Operator::LocalTee { local_index } => {
                let index = usize::try_from(*local_index).expect("u32 fits");
                self.assigned[index] = self.now;
            }
            // A block is entered at its end by falling through, a loop at its start from before,
            // an `if` at its end from both arms.
            Operator::Block { .. } | Operator::Loop { .. } => self.push(1),
            Operator::If { .. } => self.push(2),
            Operator::Br { relative_depth } | Operator::BrIf { relative_depth } => {
                self.branch(*relative_depth);
            }
            Operator::BrTable { targets } => {
                // The validator has read the targets, so they are well-formed.
                targets.targets().filter_map(Result::ok).for_each(|depth| self.branch(depth));
                self.branch(targets.default());
            }
            Operator::End => self.join(),
            Operator::Else => {}
            _ => return Ok(()),
        }
        self.live += len(self.assigned.len()) + operands;
        check(limits::JOIN_VALUES, self.values, offset)
    }

    fn push(&mut self, ways: u64) {
        self.open.push(Label { start: self.now, ways });
    }

    fn branch(&mut self, depth: u32) {
        let depth = usize::try_from(depth).expect("u32 fits");
        // A branch out of the function is a return; locals do not meet there.
        if let Some(index) = self.open.len().checked_sub(depth + 1) {
            self.open[index].ways += 1;
        }
    }

    /// The values that can differ in the join are those of the locals that were assigned inside.
    fn join(&mut self) {
        let Some(Label { start, ways }) = self.open.pop() else { return };
        // One more is the fuel, which the compiler holds in a local too.
        let differ = 1 + len(self.assigned.iter().filter(|&&last| last >= start).count());
        self.values += differ * ways;
        self.total += differ * ways * JOIN_VALUE;
    }
}

/// The price of an instruction, without the values that meet. Measured with explicit bounds checks
/// and fuel, over bodies of 4 to 64 KiB, and rounded up.
fn price(op: &Operator<'_>) -> u64 {
    match op {
        Operator::CallIndirect { .. } => 300,
        Operator::I32DivS
        | Operator::I32DivU
        | Operator::I32RemS
        | Operator::I32RemU
        | Operator::I64DivS
        | Operator::I64DivU
        | Operator::I64RemS
        | Operator::I64RemU => 45,
        Operator::Block { .. }
        | Operator::Loop { .. }
        | Operator::If { .. }
        | Operator::Else
        | Operator::Br { .. }
        | Operator::BrIf { .. } => 35,
        Operator::BrTable { targets } => 35 * (1 + u64::from(targets.len())),
        Operator::Call { .. } => 15,
        Operator::I32Load { .. }
        | Operator::I64Load { .. }
        | Operator::I32Load8S { .. }
        | Operator::I32Load8U { .. }
        | Operator::I32Load16S { .. }
        | Operator::I32Load16U { .. }
        | Operator::I64Load8S { .. }
        | Operator::I64Load8U { .. }
        | Operator::I64Load16S { .. }
        | Operator::I64Load16U { .. }
        | Operator::I64Load32S { .. }
        | Operator::I64Load32U { .. }
        | Operator::I32Store { .. }
        | Operator::I64Store { .. }
        | Operator::I32Store8 { .. }
        | Operator::I32Store16 { .. }
        | Operator::I64Store8 { .. }
        | Operator::I64Store16 { .. }
        | Operator::I64Store32 { .. } => 20,
        Operator::GlobalGet { .. } | Operator::GlobalSet { .. } | Operator::Return => 5,
        Operator::LocalGet { .. }
        | Operator::LocalSet { .. }
        | Operator::LocalTee { .. }
        | Operator::I32Const { .. }
        | Operator::I64Const { .. }
        | Operator::End => 1,
        _ => 5,
    }
}
