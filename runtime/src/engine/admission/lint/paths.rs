//! Every way through a method, as terms: which host functions it calls, with which bytes.
//!
//! Loops run as long as their conditions are constants. What is not followed makes the answer "not
//! known": calls of other contracts, indirect calls, division, memory behind a pointer that came out
//! of memory, and more than [`STEPS_MAX`] instructions or [`PATHS_MAX`] ways.

use std::collections::BTreeMap;

use wasmparser::{BlockType, Operator, Parser, Payload};

use super::super::imports::Host;
use super::super::scan::Module;
use super::symbols::{Atom, Id, Op, Terms};

/// The most instructions of one method, over all ways. Ours to choose.
const STEPS_MAX: usize = 100_000;
/// The most ways through one method. Ours to choose.
const PATHS_MAX: usize = 512;
/// The most functions that wait for another. Ours to choose.
const DEPTH_MAX: usize = 16;
/// The most bytes that are followed at a pointer. Ours to choose.
const BYTES_MAX: u32 = 512;

/// The instructions of a function.
pub(super) struct Code<'a> {
    operators: Vec<Operator<'a>>,
    /// For each `block`, `loop`, `if` and `else` the position of its `end`, and for an `if` with an
    /// `else` that of the `else`.
    ends: BTreeMap<usize, (usize, Option<usize>)>,
    locals: usize,
}

/// The code of each defined function.
pub(super) fn code<'a>(module: &Module<'a>) -> Vec<Code<'a>> {
    let payloads = Parser::new(0).parse_all(module.wasm).map_while(Result::ok);
    let bodies = payloads.filter_map(|payload| match payload {
        Payload::CodeSectionEntry(body) => Some(body),
        _ => None,
    });
    bodies
        .map(|body| {
            let groups = body.get_locals_reader().into_iter().flatten().map_while(Result::ok);
            let locals = groups.map(|(n, _)| usize::try_from(n).expect("u32 fits")).sum();
            let reader = body.get_operators_reader().into_iter();
            let operators: Vec<_> = reader.flatten().map_while(Result::ok).collect();
            let mut ends = BTreeMap::new();
            let mut open: Vec<(usize, Option<usize>)> = Vec::new();
            for (at, operator) in operators.iter().enumerate() {
                match operator {
                    Operator::Block { .. } | Operator::Loop { .. } | Operator::If { .. } => {
                        open.push((at, None));
                    }
                    Operator::Else => {
                        if let Some(last) = open.last_mut() {
                            last.1 = Some(at);
                        }
                    }
                    Operator::End => {
                        if let Some((start, middle)) = open.pop() {
                            ends.insert(start, (at, middle));
                            if let Some(middle) = middle {
                                ends.insert(middle, (at, None));
                            }
                        }
                    }
                    _ => {}
                }
            }
            Code { operators, ends, locals }
        })
        .collect()
}

/// What is asked: how the method treats one field.
#[derive(Clone, Copy)]
pub(super) struct Question {
    /// The field.
    pub(super) field: u8,
    /// The bytes of its values.
    pub(super) bytes: u32,
    /// Whether there is a value in the cell.
    pub(super) present: bool,
}

/// What can be seen of a call of a host function.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Effect {
    /// The field's value is read.
    Get { key: Vec<Id> },
    /// The field's value is replaced.
    Put { key: Vec<Id>, value: Vec<Id> },
    /// Any other, with its numbers and the bytes behind its pointers.
    Other { import: u32, numbers: Vec<Id>, bytes: Vec<Vec<Id>> },
}

/// A way through the method to its end. Those that end in a trap are left out.
#[derive(Clone, Debug)]
pub(super) struct Done {
    pub(super) effects: Vec<Effect>,
    /// The conditions that were not constants, and whether they held.
    pub(super) conditions: Vec<(Id, bool)>,
    /// What the method returns.
    pub(super) result: Option<Id>,
}

#[derive(Clone, Copy)]
struct Label {
    /// Where a branch goes on.
    target: usize,
    height: usize,
    arity: usize,
    is_loop: bool,
}

#[derive(Clone)]
struct Frame {
    function: usize,
    at: usize,
    locals: Vec<Id>,
    stack: Vec<Id>,
    labels: Vec<Label>,
}

/// Memory by base and offset, in bytes.
type Memory = BTreeMap<(Option<Id>, u32), Id>;

#[derive(Clone)]
struct State {
    frames: Vec<Frame>,
    memory: Memory,
    globals: BTreeMap<u32, Id>,
    done: Done,
}

/// What a step does with the way.
enum Next {
    Go,
    Trap,
    Return,
    /// The condition holds in this state and not in the other.
    Fork(Box<State>),
}

pub(super) struct Walk<'w, 'a> {
    pub(super) module: &'w Module<'a>,
    pub(super) hosts: &'w [Host],
    pub(super) code: &'w [Code<'a>],
    pub(super) terms: &'w mut Terms,
    pub(super) question: Question,
}

impl Walk<'_, '_> {
    /// Every way through an exported function, or `None` if not everything could be followed.
    pub(super) fn all(&mut self, function: u32) -> Option<Vec<Done>> {
        let length = self.terms.atom(Atom::Start("length", 0));
        let done = Done { effects: Vec::new(), conditions: Vec::new(), result: None };
        let (memory, globals) = (Memory::new(), BTreeMap::new());
        let mut state = State { frames: Vec::new(), memory, globals, done };
        self.enter(&mut state, function, vec![length])?;
        let (mut open, mut ended) = (vec![state], Vec::new());
        let (mut steps, mut paths) = (0, 1);
        while let Some(mut state) = open.pop() {
            loop {
                steps += 1;
                if steps > STEPS_MAX || paths > PATHS_MAX {
                    return None;
                }
                match self.step(&mut state)? {
                    Next::Go => {}
                    Next::Trap => break,
                    Next::Fork(other) => {
                        paths += 1;
                        open.push(*other);
                    }
                    Next::Return => {
                        if state.frames.is_empty() {
                            ended.push(state.done);
                            break;
                        }
                    }
                }
            }
        }
        Some(ended)
    }

    fn enter(&mut self, state: &mut State, function: u32, args: Vec<Id>) -> Option<()> {
        let function = usize::try_from(function).ok()?.checked_sub(self.module.imports.len())?;
        if state.frames.len() == DEPTH_MAX {
            return None;
        }
        let code = self.code.get(function)?;
        let mut locals = args;
        let zero = self.terms.constant(0);
        locals.resize(locals.len() + code.locals, zero);
        let arity = self.signature(self.index(function)).1;
        let label = Label { target: code.operators.len(), height: 0, arity, is_loop: false };
        let (stack, labels) = (Vec::new(), vec![label]);
        state.frames.push(Frame { function, at: 0, locals, stack, labels });
        Some(())
    }

    fn index(&self, function: usize) -> usize {
        self.module.imports.len() + function
    }

    fn signature(&self, index: usize) -> (usize, usize) {
        let ty = usize::try_from(self.module.functions[index]).expect("u32 fits");
        let ty = &self.module.types[ty];
        (ty.params().len(), ty.results().len())
    }

    fn step(&mut self, state: &mut State) -> Option<Next> {
        let frame = state.frames.last_mut()?;
        let code = &self.code[frame.function];
        let at = frame.at;
        let Some(operator) = code.operators.get(at) else {
            return self.leave(state);
        };
        frame.at += 1;
        match operator {
            Operator::Unreachable => return Some(Next::Trap),
            Operator::Block { blockty } | Operator::Loop { blockty } => {
                let is_loop = matches!(operator, Operator::Loop { .. });
                let arity = if is_loop { 0 } else { arity(*blockty)? };
                let target = if is_loop { at + 1 } else { code.ends.get(&at)?.0 + 1 };
                let height = frame.stack.len();
                frame.labels.push(Label { target, height, arity, is_loop });
            }
            Operator::If { blockty } => {
                let condition = frame.stack.pop()?;
                let (end, middle) = *code.ends.get(&at)?;
                let (height, arity) = (frame.stack.len(), arity(*blockty)?);
                frame.labels.push(Label { target: end + 1, height, arity, is_loop: false });
                return self.fork(state, condition, |state| {
                    let frame = state.frames.last_mut()?;
                    // Without an `else` the `end` closes the label.
                    frame.at = middle.map_or(end, |middle| middle + 1);
                    Some(())
                });
            }
            Operator::Else => {
                frame.at = code.ends.get(&at)?.0;
            }
            Operator::End => {
                frame.labels.pop()?;
            }
            Operator::Br { relative_depth } => branch(frame, *relative_depth)?,
            Operator::BrIf { relative_depth } => {
                let (condition, depth) = (frame.stack.pop()?, *relative_depth);
                let zero = self.terms.constant(0);
                let not = self.terms.apply(Op::I32Eqz, condition, zero);
                return self.fork(state, not, |state| branch(state.frames.last_mut()?, depth));
            }
            Operator::BrTable { targets } => {
                let index = self.terms.value(frame.stack.pop()?)?;
                let index = usize::try_from(index).ok()?;
                let depth = targets.targets().flatten().nth(index).unwrap_or(targets.default());
                branch(frame, depth)?;
            }
            Operator::Return => frame.at = code.operators.len(),
            Operator::Call { function_index } => return self.call(state, *function_index),
            other => self.plain(state, other)?,
        }
        Some(Next::Go)
    }

    fn leave(&mut self, state: &mut State) -> Option<Next> {
        let mut frame = state.frames.pop()?;
        let (_, results) = self.signature(self.index(frame.function));
        let result = if results == 1 { Some(frame.stack.pop()?) } else { None };
        match state.frames.last_mut() {
            Some(caller) => caller.stack.extend(result),
            None => state.done.result = result,
        }
        Some(Next::Return)
    }

    /// Goes on where `condition` holds, and with `otherwise` done where it does not.
    fn fork(
        &self,
        state: &mut State,
        condition: Id,
        otherwise: impl Fn(&mut State) -> Option<()>,
    ) -> Option<Next> {
        let before = state.done.conditions.iter().find(|(id, _)| *id == condition);
        let known = self.terms.value(condition).map(|value| value != 0);
        match known.or(before.map(|(_, held)| *held)) {
            Some(true) => {}
            Some(false) => otherwise(state)?,
            None => {
                let mut other = state.clone();
                otherwise(&mut other)?;
                other.done.conditions.push((condition, false));
                state.done.conditions.push((condition, true));
                return Some(Next::Fork(Box::new(other)));
            }
        }
        Some(Next::Go)
    }

    /// An instruction that goes on with the next.
    fn plain(&mut self, state: &mut State, operator: &Operator<'_>) -> Option<()> {
        let frame = state.frames.last_mut()?;
        let stack = &mut frame.stack;
        let local = |index: &u32| usize::try_from(*index).expect("u32 fits");
        match operator {
            Operator::Nop => {}
            Operator::Drop => {
                stack.pop()?;
            }
            Operator::Select => {
                let (condition, no, yes) = (stack.pop()?, stack.pop()?, stack.pop()?);
                stack.push(self.terms.select(yes, no, condition));
            }
            Operator::LocalGet { local_index } => stack.push(frame.locals[local(local_index)]),
            Operator::LocalSet { local_index } => frame.locals[local(local_index)] = stack.pop()?,
            Operator::LocalTee { local_index } => {
                frame.locals[local(local_index)] = *stack.last()?;
            }
            Operator::GlobalGet { global_index } => {
                let start = self.terms.atom(Atom::Start("global", *global_index));
                stack.push(*state.globals.get(global_index).unwrap_or(&start));
            }
            Operator::GlobalSet { global_index } => {
                state.globals.insert(*global_index, stack.pop()?);
            }
            Operator::I32Const { value } => {
                stack.push(self.terms.constant(value.cast_unsigned().into()));
            }
            Operator::I64Const { value } => {
                stack.push(self.terms.constant(value.cast_unsigned()));
            }
            other => match Op::of(other) {
                Some(op) if op.is_unary() => {
                    let (a, zero) = (stack.pop()?, self.terms.constant(0));
                    stack.push(self.terms.apply(op, a, zero));
                }
                Some(op) => {
                    let (b, a) = (stack.pop()?, stack.pop()?);
                    stack.push(self.terms.apply(op, a, b));
                }
                None => self.access(state, other)?,
            },
        }
        Some(())
    }

    /// Loads and stores.
    fn access(&mut self, state: &mut State, operator: &Operator<'_>) -> Option<()> {
        let stack = &mut state.frames.last_mut()?.stack;
        let (memarg, bytes, extend) = match operator {
            Operator::I32Load8U { memarg } | Operator::I64Load8U { memarg } => (memarg, 1, None),
            Operator::I32Load16U { memarg } | Operator::I64Load16U { memarg } => (memarg, 2, None),
            Operator::I32Load { memarg } | Operator::I64Load32U { memarg } => (memarg, 4, None),
            Operator::I64Load { memarg } => (memarg, 8, None),
            Operator::I32Load8S { memarg } => (memarg, 1, Some(Op::I32Extend8S)),
            Operator::I32Load16S { memarg } => (memarg, 2, Some(Op::I32Extend16S)),
            Operator::I64Load8S { memarg } => (memarg, 1, Some(Op::I64Extend8S)),
            Operator::I64Load16S { memarg } => (memarg, 2, Some(Op::I64Extend16S)),
            Operator::I64Load32S { memarg } => (memarg, 4, Some(Op::I64Extend32S)),
            Operator::I32Store8 { memarg } | Operator::I64Store8 { memarg } => {
                return self.store(state, memarg.offset, 1);
            }
            Operator::I32Store16 { memarg } | Operator::I64Store16 { memarg } => {
                return self.store(state, memarg.offset, 2);
            }
            Operator::I32Store { memarg } | Operator::I64Store32 { memarg } => {
                return self.store(state, memarg.offset, 4);
            }
            Operator::I64Store { memarg } => return self.store(state, memarg.offset, 8),
            _ => return None,
        };
        let pointer = stack.pop()?;
        let found = self.read(&state.memory, pointer, memarg.offset, bytes)?;
        let mut value = self.terms.join(&found);
        if let Some(op) = extend {
            let zero = self.terms.constant(0);
            value = self.terms.apply(op, value, zero);
        }
        state.frames.last_mut()?.stack.push(value);
        Some(())
    }

    fn store(&mut self, state: &mut State, offset: u64, bytes: u32) -> Option<()> {
        let stack = &mut state.frames.last_mut()?.stack;
        let (value, pointer) = (stack.pop()?, stack.pop()?);
        let value: Vec<Id> = (0..bytes).map(|i| self.terms.byte(value, i)).collect();
        self.write(&mut state.memory, pointer, offset, &value)
    }

    /// Only the stack and constant addresses are followed: what lies behind any other pointer could
    /// be the same bytes.
    fn place(&mut self, pointer: Id, offset: u64) -> Option<(Option<Id>, u32)> {
        let (base, start) = self.terms.pointer(pointer);
        let stack = self.terms.atom(Atom::Start("global", 0));
        (base.is_none() || base == Some(stack))
            .then(|| Some((base, start.wrapping_add(u32::try_from(offset).ok()?))))?
    }

    fn read(&mut self, memory: &Memory, pointer: Id, offset: u64, n: u32) -> Option<Vec<Id>> {
        if n == 0 {
            return Some(Vec::new());
        }
        let (base, start) = self.place(pointer, offset)?;
        let mut byte = |i| {
            let at = start.wrapping_add(i);
            let before = || self.terms.atom(Atom::Memory(base, at));
            memory.get(&(base, at)).copied().unwrap_or_else(before)
        };
        (n <= BYTES_MAX).then(|| (0..n).map(&mut byte).collect())
    }

    fn write(&mut self, memory: &mut Memory, pointer: Id, offset: u64, bytes: &[Id]) -> Option<()> {
        if bytes.is_empty() {
            return Some(());
        }
        let (base, start) = self.place(pointer, offset)?;
        memory.extend((0..).zip(bytes).map(|(i, byte)| ((base, start.wrapping_add(i)), *byte)));
        Some(())
    }

    fn call(&mut self, state: &mut State, callee: u32) -> Option<Next> {
        let index = usize::try_from(callee).ok()?;
        let (params, results) = self.signature(index);
        let stack = &mut state.frames.last_mut()?.stack;
        let args = stack.split_off(stack.len().checked_sub(params)?);
        let Some(&host) = self.hosts.get(index) else {
            self.enter(state, callee, args)?;
            return Some(Next::Go);
        };
        let result = self.host(state, callee, host, &args)?;
        if results == 1 {
            state.frames.last_mut()?.stack.push(result?);
        }
        Some(Next::Go)
    }

    /// A host function: what it can see becomes an effect, what it copies out becomes atoms.
    fn host(
        &mut self,
        state: &mut State,
        import: u32,
        host: Host,
        args: &[Id],
    ) -> Option<Option<Id>> {
        let position = state.done.effects.len();
        // Pointers with their lengths, numbers, and where how many bytes come out.
        let (inside, numbers, out): (&[(usize, Length)], &[usize], _) = match host {
            Host::Get(field) if field == self.question.field => return self.get(state, args),
            Host::Put(field) if field == self.question.field => {
                let key = self.bytes(state, args[0], args[1])?;
                let value = self.bytes(state, args[2], args[3])?;
                state.done.effects.push(Effect::Put { key, value });
                return Some(None);
            }
            Host::Remove(field)
            | Host::Start(field)
            | Host::Add(field)
            | Host::Max(field)
            | Host::Min(field)
            | Host::Reserve(field)
            | Host::Append(field)
                if field == self.question.field =>
            {
                return None;
            }
            Host::Get(_) | Host::Start(_) => {
                (&[(0, Length::Arg(1))], &[3], Some((2, Length::Arg(3))))
            }
            Host::Put(_) | Host::Append(_) => {
                (&[(0, Length::Arg(1)), (2, Length::Arg(3))], &[], None)
            }
            Host::Remove(_) => (&[(0, Length::Arg(1))], &[], None),
            Host::Add(_) | Host::Max(_) | Host::Min(_) => (&[(0, Length::Arg(1))], &[2, 3], None),
            Host::Reserve(_) => (&[(0, Length::Arg(1))], &[2, 3, 4, 5], None),
            Host::Emit => (&[(1, Length::Arg(2))], &[0], None),
            Host::Pure("output" | "log" | "panic") => (&[(0, Length::Arg(1))], &[], None),
            Host::Pure(word @ ("caller" | "this" | "input")) => {
                // Longer arguments are not on the stack.
                let n = if word == "input" { 256 } else { 32 };
                let bytes: Vec<Id> = (0..n).map(|i| self.terms.atom(Atom::Word(word, i))).collect();
                self.write(&mut state.memory, args[0], 0, &bytes)?;
                return Some(None);
            }
            Host::Pure(word @ ("height" | "time_ms")) => {
                return Some(Some(self.terms.atom(Atom::Word(word, 0))));
            }
            Host::Pure("blake3" | "sha256" | "keccak256") => {
                (&[(0, Length::Arg(1))], &[], Some((2, Length::Of(32))))
            }
            Host::Pure("ed25519_verify") => {
                (&[(0, Length::Of(32)), (1, Length::Arg(2)), (3, Length::Of(64))], &[], None)
            }
            Host::Call | Host::Pure(_) => return None,
        };
        let length = |terms: &Terms, length| match length {
            Length::Of(n) => Some(n),
            Length::Arg(i) => u32::try_from(terms.value(args[i])?).ok(),
        };
        let mut bytes = Vec::new();
        for &(pointer, n) in inside {
            let n = length(self.terms, n)?;
            bytes.push(self.read(&state.memory, args[pointer], 0, n)?);
        }
        if let Some((pointer, n)) = out {
            let n = length(self.terms, n)?;
            let found = (0..n.min(BYTES_MAX)).map(|i| self.terms.atom(Atom::Out(position, i)));
            let found: Vec<Id> = found.collect();
            self.write(&mut state.memory, args[pointer], 0, &found)?;
        }
        let numbers = numbers.iter().map(|&i| args[i]).collect();
        state.done.effects.push(Effect::Other { import, numbers, bytes });
        Some(Some(self.terms.atom(Atom::Result(position))))
    }

    /// Reads the field in question.
    fn get(&mut self, state: &mut State, args: &[Id]) -> Option<Option<Id>> {
        let key = self.bytes(state, args[0], args[1])?;
        state.done.effects.push(Effect::Get { key });
        let Question { bytes, present, .. } = self.question;
        if !present {
            return Some(Some(self.terms.constant(u32::MAX.into())));
        }
        if self.terms.value(args[3])? < u64::from(bytes) {
            return None;
        }
        let stored = (0..bytes).map(|i| {
            let word = self.terms.atom(Atom::Stored(if i < 8 { 0 } else { 1 }));
            self.terms.byte(word, i % 8)
        });
        let stored: Vec<Id> = stored.collect();
        self.write(&mut state.memory, args[2], 0, &stored)?;
        Some(Some(self.terms.constant(bytes.into())))
    }

    fn bytes(&mut self, state: &State, pointer: Id, length: Id) -> Option<Vec<Id>> {
        let length = u32::try_from(self.terms.value(length)?).ok()?;
        self.read(&state.memory, pointer, 0, length)
    }
}

/// How many bytes are behind a pointer.
#[derive(Clone, Copy)]
enum Length {
    Of(u32),
    /// As many as the argument at this position says.
    Arg(usize),
}

const fn arity(ty: BlockType) -> Option<usize> {
    match ty {
        BlockType::Empty => Some(0),
        BlockType::Type(_) => Some(1),
        BlockType::FuncType(_) => None,
    }
}

fn branch(frame: &mut Frame, depth: u32) -> Option<()> {
    let depth = usize::try_from(depth).ok()?;
    let index = frame.labels.len().checked_sub(depth + 1)?;
    let label = frame.labels[index];
    let results = frame.stack.split_off(frame.stack.len().checked_sub(label.arity)?);
    frame.stack.truncate(label.height);
    frame.stack.extend(results);
    frame.labels.truncate(if label.is_loop { index + 1 } else { index });
    frame.at = label.target;
    Some(())
}
