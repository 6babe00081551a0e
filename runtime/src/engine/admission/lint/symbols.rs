//! Values as terms over what is not known: what the host returns, what memory held.

use std::collections::BTreeMap;

use wasmparser::Operator;

/// A term, by its position in [`Terms`]. Equal terms have equal positions.
pub(super) type Id = usize;

/// What is not known before the code runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Atom {
    /// Eight bytes of the stored value, from the lowest.
    Stored(u8),
    /// A global, or a parameter of the method, at the start.
    Start(&'static str, u32),
    /// A byte of memory at the start, by base and offset.
    Memory(Option<Id>, u32),
    /// A byte that is the same in the whole call: of the arguments, of the caller's address.
    Word(&'static str, u32),
    /// What the host function that is called at this position returns.
    Result(usize),
    /// A byte that it copies out.
    Out(usize, u32),
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Term {
    Const(u64),
    Atom(Atom),
    Apply(Op, Id, Id),
    Select(Id, Id, Id),
    Byte(Id, u32),
    Join(Vec<Id>),
}

/// All terms.
#[derive(Debug, Default)]
pub(super) struct Terms {
    terms: Vec<Term>,
    ids: BTreeMap<Term, Id>,
    /// Whether each sees the stored value.
    sees: Vec<bool>,
}

impl Terms {
    pub(super) fn constant(&mut self, value: u64) -> Id {
        self.add(Term::Const(value))
    }

    pub(super) fn atom(&mut self, atom: Atom) -> Id {
        self.add(Term::Atom(atom))
    }

    pub(super) fn value(&self, id: Id) -> Option<u64> {
        match self.terms[id] {
            Term::Const(value) => Some(value),
            _ => None,
        }
    }

    /// Whether the term depends on the stored value.
    pub(super) fn sees_stored(&self, id: Id) -> bool {
        self.sees[id]
    }

    /// A pointer as a base, if it has one, and an offset.
    pub(super) fn pointer(&self, id: Id) -> (Option<Id>, u32) {
        let offset = |value: u64| u32::try_from(value & 0xffff_ffff).expect("masked");
        match self.terms[id] {
            Term::Const(value) => (None, offset(value)),
            Term::Apply(Op::I32Add, base, by) => match self.value(by) {
                Some(value) => (Some(base), offset(value)),
                None => (Some(id), 0),
            },
            _ => (Some(id), 0),
        }
    }

    pub(super) fn apply(&mut self, op: Op, a: Id, b: Id) -> Id {
        match (op, self.value(a), self.value(b)) {
            (_, Some(a), Some(b)) => self.constant(op.apply(a, b)),
            // Constants stand at the right of additions, and there is one.
            (Op::I32Add, Some(_), None) => self.apply(op, b, a),
            (Op::I32Sub, None, Some(by)) => {
                let by = self.constant(Op::I32Sub.apply(0, by));
                self.apply(Op::I32Add, a, by)
            }
            (Op::I32Add, None, Some(0)) => a,
            (Op::I32Add, None, Some(by)) => match self.pointer(a) {
                (Some(base), offset) if base != a => {
                    let by = self.constant(Op::I32Add.apply(offset.into(), by));
                    if self.value(by) == Some(0) {
                        base
                    } else {
                        self.add(Term::Apply(op, base, by))
                    }
                }
                _ => self.add(Term::Apply(op, a, b)),
            },
            _ => self.add(Term::Apply(op, a, b)),
        }
    }

    pub(super) fn select(&mut self, yes: Id, no: Id, condition: Id) -> Id {
        match self.value(condition) {
            Some(0) => no,
            Some(_) => yes,
            None if yes == no => yes,
            None => self.add(Term::Select(yes, no, condition)),
        }
    }

    /// A byte of a term, from the lowest.
    pub(super) fn byte(&mut self, of: Id, index: u32) -> Id {
        match &self.terms[of] {
            Term::Const(value) => {
                let byte = value >> (8 * index) & 0xff;
                self.constant(byte)
            }
            Term::Join(bytes) => {
                let byte = bytes.get(usize::try_from(index).expect("u32 fits")).copied();
                byte.unwrap_or_else(|| self.constant(0))
            }
            _ => self.add(Term::Byte(of, index)),
        }
    }

    /// Bytes as a number, the lowest first.
    pub(super) fn join(&mut self, bytes: &[Id]) -> Id {
        if let [byte] = bytes {
            return *byte;
        }
        if let Term::Byte(of, 0) = self.terms[bytes[0]] {
            let whole = (0..8).zip(bytes).all(|(i, &byte)| self.terms[byte] == Term::Byte(of, i));
            if whole && bytes.len() == 8 {
                return of;
            }
        }
        let known: Option<Vec<u64>> = bytes.iter().map(|&byte| self.value(byte)).collect();
        match known {
            Some(known) => {
                let value = known.iter().rev().fold(0, |value, byte| value << 8 | byte);
                self.constant(value)
            }
            None => self.add(Term::Join(bytes.to_vec())),
        }
    }

    fn add(&mut self, term: Term) -> Id {
        if let Some(&id) = self.ids.get(&term) {
            return id;
        }
        let sees = match &term {
            Term::Const(_) => false,
            Term::Atom(atom) => matches!(atom, Atom::Stored(_)),
            Term::Apply(_, a, b) => self.sees[*a] || self.sees[*b],
            Term::Select(a, b, c) => self.sees[*a] || self.sees[*b] || self.sees[*c],
            Term::Byte(of, _) => self.sees[*of],
            Term::Join(bytes) => bytes.iter().any(|byte| self.sees[*byte]),
        };
        let id = self.terms.len();
        self.terms.push(term.clone());
        self.sees.push(sees);
        self.ids.insert(term, id);
        id
    }

    /// The value of a term where the atoms have these values. `known` is kept from term to term.
    pub(super) fn eval(
        &self,
        id: Id,
        known: &mut BTreeMap<Id, u64>,
        atom: &dyn Fn(Atom) -> u64,
    ) -> u64 {
        if let Some(&value) = known.get(&id) {
            return value;
        }
        let mut part = |id: Id| self.eval(id, known, atom);
        let value = match &self.terms[id] {
            Term::Const(value) => *value,
            Term::Atom(found) => atom(*found),
            Term::Apply(op, a, b) => op.apply(part(*a), part(*b)),
            Term::Select(yes, no, condition) => {
                if part(*condition) == 0 {
                    part(*no)
                } else {
                    part(*yes)
                }
            }
            Term::Byte(of, index) => part(*of) >> (8 * index) & 0xff,
            Term::Join(bytes) => bytes.iter().rev().fold(0, |value, byte| value << 8 | part(*byte)),
        };
        known.insert(id, value);
        value
    }
}

macro_rules! ops {
    ($($name:ident = |$a:ident, $b:ident| $value:expr;)*) => {
        /// An instruction of one or two operands that cannot trap.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub(super) enum Op { $($name),* }

        impl Op {
            pub(super) fn of(operator: &Operator<'_>) -> Option<Self> {
                match operator {
                    $(Operator::$name => Some(Self::$name),)*
                    _ => None,
                }
            }

            /// The result. 32-bit numbers are in the lower half of 64 bits, and the upper is zero.
            #[expect(
                clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_possible_wrap,
                reason = "the arithmetic of WebAssembly"
            )]
            fn apply(self, a: u64, b: u64) -> u64 {
                match self {
                    $(Self::$name => { let ($a, $b) = (a, b); ($value) as u64 })*
                }
            }
        }
    };
}

ops! {
    I32Add = |a, b| (a as u32).wrapping_add(b as u32);
    I32Sub = |a, b| (a as u32).wrapping_sub(b as u32);
    I32Mul = |a, b| (a as u32).wrapping_mul(b as u32);
    I32And = |a, b| a & b;
    I32Or = |a, b| a | b;
    I32Xor = |a, b| a ^ b;
    I32Shl = |a, b| (a as u32).wrapping_shl(b as u32);
    I32ShrU = |a, b| (a as u32).wrapping_shr(b as u32);
    I32ShrS = |a, b| (a as i32).wrapping_shr(b as u32) as u32;
    I32Eq = |a, b| a == b;
    I32Ne = |a, b| a != b;
    I32LtU = |a, b| a < b;
    I32GtU = |a, b| a > b;
    I32LeU = |a, b| a <= b;
    I32GeU = |a, b| a >= b;
    I32LtS = |a, b| (a as i32) < (b as i32);
    I32GtS = |a, b| (a as i32) > (b as i32);
    I32LeS = |a, b| (a as i32) <= (b as i32);
    I32GeS = |a, b| (a as i32) >= (b as i32);
    I32Eqz = |a, _b| a == 0;
    I32WrapI64 = |a, _b| a as u32;
    I32Extend8S = |a, _b| a as i8 as u32;
    I32Extend16S = |a, _b| a as i16 as u32;
    I64Add = |a, b| a.wrapping_add(b);
    I64Sub = |a, b| a.wrapping_sub(b);
    I64Mul = |a, b| a.wrapping_mul(b);
    I64And = |a, b| a & b;
    I64Or = |a, b| a | b;
    I64Xor = |a, b| a ^ b;
    I64Shl = |a, b| a.wrapping_shl(b as u32);
    I64ShrU = |a, b| a.wrapping_shr(b as u32);
    I64ShrS = |a, b| (a as i64).wrapping_shr(b as u32);
    I64Eq = |a, b| a == b;
    I64Ne = |a, b| a != b;
    I64LtU = |a, b| a < b;
    I64GtU = |a, b| a > b;
    I64LeU = |a, b| a <= b;
    I64GeU = |a, b| a >= b;
    I64LtS = |a, b| (a as i64) < (b as i64);
    I64GtS = |a, b| (a as i64) > (b as i64);
    I64LeS = |a, b| (a as i64) <= (b as i64);
    I64GeS = |a, b| (a as i64) >= (b as i64);
    I64Eqz = |a, _b| a == 0;
    I64ExtendI32U = |a, _b| a;
    I64ExtendI32S = |a, _b| a as i32 as i64;
    I64Extend8S = |a, _b| a as i8 as i64;
    I64Extend16S = |a, _b| a as i16 as i64;
    I64Extend32S = |a, _b| a as i32 as i64;
}

impl Op {
    /// Whether there is only one operand.
    pub(super) const fn is_unary(self) -> bool {
        matches!(
            self,
            Self::I32Eqz
                | Self::I32WrapI64
                | Self::I32Extend8S
                | Self::I32Extend16S
                | Self::I64Eqz
                | Self::I64ExtendI32U
                | Self::I64ExtendI32S
                | Self::I64Extend8S
                | Self::I64Extend16S
                | Self::I64Extend32S
        )
    }
}
