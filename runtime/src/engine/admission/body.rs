//! Function bodies: what is counted, and whom they call.

use wasmparser::{
    FuncToValidate, FuncValidatorAllocations, FunctionBody, Operator, ValType, ValidatorResources,
};

use super::effort::Effort;
use super::limits;
use super::operators::{self, Verdict};
use super::refusal::{Name, Place, Refusal};
use super::scan::{check, len, ok};

/// What is known of a function's body.
#[derive(Debug, Default)]
pub(super) struct Body {
    pub(super) bytes: u64,
    pub(super) operators: u64,
    /// The estimated work of compiling it.
    pub(super) effort: u64,
    /// The functions that it calls, in order, each once.
    pub(super) calls: Vec<u32>,
    /// The types that it calls through the table, in order, each once.
    pub(super) indirect: Vec<u32>,
}

/// Counts, judges and validates a body, instruction by instruction.
pub(super) fn scan(
    function: FuncToValidate<ValidatorResources>,
    code: &FunctionBody<'_>,
    params: u64,
    buffers: &mut FuncValidatorAllocations,
) -> Result<Body, Refusal> {
    let start = code.range().start;
    let mut body = Body { bytes: len(code.range().len()), ..Body::default() };
    check(limits::BODY_BYTES, body.bytes, start)?;
    let locals = locals(code, params)?;
    let mut counts = Counts { effort: Effort::new(locals, params), ..Counts::default() };
    let mut validator = function.into_validator(std::mem::take(buffers));
    // The locals are within their limit, so that expanding them is cheap.
    ok(validator.read_locals(&mut code.get_binary_reader()))?;
    let mut reader = ok(code.get_operators_reader())?;
    while !reader.eof() {
        let (op, offset) = ok(reader.read_with_offset())?;
        body.operators += 1;
        judge(&op, offset)?;
        ok(validator.op(offset, &op))?;
        let operands = validator.operand_stack_height().into();
        check(limits::OPERANDS, operands, offset)?;
        counts.add(&op, operands, offset)?;
        match op {
            Operator::Call { function_index } => body.calls.push(function_index),
            Operator::CallIndirect { type_index, .. } => body.indirect.push(type_index),
            _ => {}
        }
    }
    ok(reader.finish())?;
    *buffers = validator.into_allocations();
    body.effort = counts.effort.total();
    for list in [&mut body.calls, &mut body.indirect] {
        list.sort_unstable();
        list.dedup();
    }
    Ok(body)
}

/// The number of parameters and locals, summed from the claimed counts.
fn locals(code: &FunctionBody<'_>, params: u64) -> Result<usize, Refusal> {
    let start = code.range().start;
    let mut locals = params;
    for group in ok(code.get_locals_reader())? {
        let (count, ty) = ok(group)?;
        if matches!(ty, ValType::F32 | ValType::F64) {
            let what = Name::new("a local variable");
            return Err(Refusal::Float { what, at: Place::at(start) });
        }
        locals = locals.saturating_add(u64::from(count));
        check(limits::LOCALS, locals, start)?;
    }
    Ok(usize::try_from(locals).expect("the limit is small"))
}

fn judge(op: &Operator<'_>, offset: usize) -> Result<(), Refusal> {
    let at = Place::at(offset);
    let (name, verdict) = operators::judge(op);
    Err(match verdict {
        Verdict::Admitted => return Ok(()),
        Verdict::Float => Refusal::Float { what: Name::new(name), at },
        Verdict::Grow => Refusal::Grow { at },
        Verdict::Proposal(proposal) => {
            Refusal::Operator { operator: Name::new(name), proposal, at }
        }
    })
}

/// What of a body is counted against limits.
#[derive(Default)]
struct Counts {
    /// For each open block, whether it is a loop.
    open: Vec<bool>,
    blocks: u64,
    loop_depth: u64,
    loops: u64,
    targets: u64,
    effort: Effort,
}

impl Counts {
    fn add(&mut self, op: &Operator<'_>, operands: u64, offset: usize) -> Result<(), Refusal> {
        match op {
            Operator::Block { .. } | Operator::If { .. } | Operator::Loop { .. } => {
                let is_loop = matches!(op, Operator::Loop { .. });
                self.open.push(is_loop);
                self.blocks += 1;
                self.loops += u64::from(is_loop);
                self.loop_depth += u64::from(is_loop);
            }
            // The last `end` closes the function, which is not counted as a block.
            Operator::End => self.loop_depth -= u64::from(self.open.pop().unwrap_or(false)),
            Operator::CallIndirect { .. } => self.loops += 1,
            Operator::BrTable { targets } => self.targets += u64::from(targets.len()),
            _ => {}
        }
        check(limits::NESTING, len(self.open.len()), offset)?;
        check(limits::BLOCKS, self.blocks, offset)?;
        check(limits::LOOP_DEPTH, self.loop_depth, offset)?;
        check(limits::LOOPS, self.loops, offset)?;
        check(limits::BRANCH_TARGETS, self.targets, offset)?;
        self.effort.add(op, operands, offset)
    }
}
