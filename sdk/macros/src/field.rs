//! The storage fields of a contract.

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::spanned::Spanned;
use syn::{
    Expr, Fields, GenericArgument, Ident, ItemStruct, Lit, PathArguments, PathSegment, Type,
};

use crate::text;

/// What a field is, which decides the methods it has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cell {
    Item,
    Map,
    Counter,
    CounterMap,
    Sharded,
    ShardedMap,
    Max,
    MaxMap,
    Min,
    MinMap,
    Stock,
    StockMap,
    Log,
    LogMap,
    Immutable,
}

/// How a field is touched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Touch {
    /// Of a sharded cell, of one shard; so `Write`.
    Read,
    /// Reads all shards of a sharded cell.
    ReadAll,
    Add,
    Max,
    Min,
    Append,
    /// Takes from a stock as far as there is enough.
    Reserve,
    Write,
    /// Writes all shards of a sharded cell.
    WriteAll,
    /// Reads the value before the block, which conflicts with nothing.
    Start,
    /// Is not called where the cell is set; no use permits it.
    Unless,
    /// Reads an immutable, which conflicts with nothing.
    Constant,
    /// Sets an immutable.
    Set,
}

impl Touch {
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Read | Self::ReadAll | Self::Constant => "read",
            Self::Add => "add",
            Self::Max => "max",
            Self::Min => "min",
            Self::Append => "append",
            Self::Reserve => "reserve",
            Self::Write | Self::WriteAll | Self::Set => "write",
            Self::Start => "start",
            Self::Unless => "unless",
        }
    }

    /// Whether a declaration of this kind permits `done`.
    pub(crate) fn permits(self, done: Self) -> bool {
        self == done
            || match self {
                Self::Write => done != Self::Start && !done.is_of_all_shards(),
                Self::WriteAll => done != Self::Start,
                Self::ReadAll => done == Self::Read,
                _ => false,
            }
    }

    /// The same of all shards of a sharded cell.
    pub(crate) fn of_all_shards(self) -> Self {
        match self {
            Self::Read => Self::ReadAll,
            Self::Write => Self::WriteAll,
            other => other,
        }
    }

    pub(crate) fn is_of_all_shards(self) -> bool {
        matches!(self, Self::ReadAll | Self::WriteAll)
    }

    pub(crate) fn is_write(self) -> bool {
        matches!(self, Self::Write | Self::WriteAll)
    }

    /// Whether it is none of the ways in which a method with `&self` touches cells.
    pub(crate) fn changes(self) -> bool {
        !matches!(self, Self::Read | Self::ReadAll | Self::Start)
    }
}

impl Cell {
    /// How a method of the storage type touches the field; `None` if it has no such method.
    pub(crate) fn touch(self, method: &str) -> Option<Touch> {
        Some(match (self, method) {
            (Self::Immutable, "get") => Touch::Constant,
            (Self::Immutable, "set") => Touch::Set,
            (Self::Immutable, _) => return None,
            (_, "at_start") => Touch::Start,
            (Self::Log | Self::LogMap, "len") => Touch::Read,
            (Self::Log | Self::LogMap, "len_at_start") => Touch::Start,
            (Self::Log | Self::LogMap, "append") => Touch::Append,
            (Self::Item, "get" | "exists") => Touch::Read,
            (Self::Item, "put" | "remove" | "update" | "take") => Touch::Write,
            (Self::Map, "get" | "try_get" | "contains") => Touch::Read,
            (Self::Map, "put" | "remove" | "update" | "take") => Touch::Write,
            (Self::Counter | Self::CounterMap, "get") => Touch::Read,
            (Self::Counter | Self::CounterMap, "add" | "sub") => Touch::Add,
            (Self::Counter | Self::CounterMap, "put") => Touch::Write,
            (Self::Sharded | Self::ShardedMap, "get") => Touch::ReadAll,
            (Self::Sharded | Self::ShardedMap, "part") => Touch::Read,
            (Self::Sharded | Self::ShardedMap, "add") => Touch::Add,
            (Self::Max | Self::MaxMap, "raise") => Touch::Max,
            (Self::Min | Self::MinMap, "lower") => Touch::Min,
            (Self::Max | Self::MaxMap | Self::Min | Self::MinMap, "get") => Touch::Read,
            (Self::Max | Self::MaxMap | Self::Min | Self::MinMap, "put") => Touch::Write,
            (Self::Sharded | Self::ShardedMap, "put") => Touch::WriteAll,
            (Self::Stock | Self::StockMap, "get") => Touch::Read,
            (Self::Stock | Self::StockMap, "add") => Touch::Add,
            (Self::Stock | Self::StockMap, "reserve" | "reserve_above") => Touch::Reserve,
            (Self::Stock | Self::StockMap, "put") => Touch::Write,
            _ => return None,
        })
    }

    /// The clause for what accumulates in the cell, if anything does.
    pub(crate) fn accumulates(self) -> Option<Touch> {
        match self {
            Self::Counter
            | Self::CounterMap
            | Self::Sharded
            | Self::ShardedMap
            | Self::Stock
            | Self::StockMap => Some(Touch::Add),
            Self::Max | Self::MaxMap => Some(Touch::Max),
            Self::Min | Self::MinMap => Some(Touch::Min),
            Self::Log | Self::LogMap => Some(Touch::Append),
            Self::Item | Self::Map | Self::Immutable => None,
        }
    }

    /// The methods, for a help line.
    pub(crate) fn methods(self) -> &'static str {
        match self {
            Self::Item => "`get`, `exists`, `at_start`, `put`, `update`, `take`, `remove`",
            Self::Map => {
                "`get`, `try_get`, `contains`, `at_start`, `put`, `update`, `take`, `remove`"
            }
            Self::Counter | Self::CounterMap => "`get`, `at_start`, `add`, `sub`, `put`",
            Self::Sharded | Self::ShardedMap => "`get`, `part`, `at_start`, `add`, `put`",
            Self::Max | Self::MaxMap => "`get`, `at_start`, `raise`, `put`",
            Self::Min | Self::MinMap => "`get`, `at_start`, `lower`, `put`",
            Self::Stock | Self::StockMap => {
                "`get`, `at_start`, `add`, `reserve`, `reserve_above`, `put`"
            }
            Self::Log | Self::LogMap => "`len`, `append`, `at_start`, `len_at_start`",
            Self::Immutable => "`get`, `set`",
        }
    }
}

/// A storage field.
pub(crate) struct Field {
    pub(crate) name: Ident,
    pub(crate) doc: String,
    pub(crate) cell: Cell,
    pub(crate) keys: Vec<Type>,
    pub(crate) value: Type,
    /// How many shards each cell has; 1 for a field that is not sharded.
    pub(crate) shards: u8,
}

impl Field {
    /// The type of the key: the only one, or a tuple.
    pub(crate) fn key(&self) -> TokenStream {
        match &*self.keys {
            [key] => quote! { #key },
            keys => quote! { (#(#keys),*) },
        }
    }

    /// The storage type, with the tag of the field.
    pub(crate) fn storage(&self, tag: &TokenStream) -> TokenStream {
        let (key, value) = (self.key(), &self.value);
        let (span, shards) = (value.span(), self.shards);
        match self.cell {
            Cell::Item => quote_spanned! { span=> ::kempe_sdk::Item<#value, #tag> },
            Cell::Map => quote_spanned! { span=> ::kempe_sdk::Map<#key, #value, #tag> },
            Cell::Counter => quote_spanned! { span=> ::kempe_sdk::Counter<#value, #tag> },
            Cell::CounterMap => {
                quote_spanned! { span=> ::kempe_sdk::Map<#key, ::kempe_sdk::Counter<#value>, #tag> }
            }
            Cell::Max => quote_spanned! { span=> ::kempe_sdk::Max<#value, #tag> },
            Cell::Min => quote_spanned! { span=> ::kempe_sdk::Min<#value, #tag> },
            Cell::MaxMap => {
                quote_spanned! { span=> ::kempe_sdk::Map<#key, ::kempe_sdk::Max<#value>, #tag> }
            }
            Cell::MinMap => {
                quote_spanned! { span=> ::kempe_sdk::Map<#key, ::kempe_sdk::Min<#value>, #tag> }
            }
            Cell::Stock => quote_spanned! { span=> ::kempe_sdk::Stock<#value, #tag> },
            Cell::StockMap => {
                quote_spanned! { span=> ::kempe_sdk::Map<#key, ::kempe_sdk::Stock<#value>, #tag> }
            }
            Cell::Log => quote_spanned! { span=> ::kempe_sdk::Log<#value, #tag> },
            Cell::LogMap => {
                quote_spanned! { span=> ::kempe_sdk::Map<#key, ::kempe_sdk::Log<#value>, #tag> }
            }
            Cell::Sharded => {
                quote_spanned! { span=> ::kempe_sdk::Sharded<::kempe_sdk::Counter<#value>, #shards, #tag> }
            }
            Cell::ShardedMap => {
                let value = quote_spanned! { span=> ::kempe_sdk::Sharded<::kempe_sdk::Counter<#value>, #shards> };
                quote_spanned! { span=> ::kempe_sdk::Map<#key, #value, #tag> }
            }
            Cell::Immutable => quote_spanned! { span=> ::kempe_sdk::Immutable<#value, #tag> },
        }
    }

    /// `supply`, or `balances[...]`, as a clause names it; with one more `[...]` for one shard.
    pub(crate) fn cell_text(&self, touch: Touch) -> String {
        let of_one = matches!(touch, Touch::Read | Touch::Add | Touch::Write);
        let keys = if self.keys.is_empty() { "" } else { "[...]" };
        let shard = if self.is_sharded() && of_one { "[...]" } else { "" };
        let cell = format!("{}{keys}{shard}", self.name);
        if touch == Touch::Reserve { format!("{cell}, amount") } else { cell }
    }

    pub(crate) fn is_sharded(&self) -> bool {
        matches!(self.cell, Cell::Sharded | Cell::ShardedMap)
    }

    pub(crate) fn is_immutable(&self) -> bool {
        self.cell == Cell::Immutable
    }

    /// Has rustc refuse keys that are longer than any may be.
    pub(crate) fn check_key(&self) -> Option<TokenStream> {
        let keys = &self.keys;
        // Behind a log's key is the index of an item, behind that of a sharded cell the number of the shard.
        let behind = match self.cell {
            Cell::LogMap => Some(quote! { u64 }),
            Cell::ShardedMap => Some(quote! { u8 }),
            _ => None,
        };
        let all = keys.iter().map(|key| quote! { #key }).chain(behind);
        let all: Vec<TokenStream> = all.collect();
        (!keys.is_empty()).then(|| {
            quote_spanned! { self.name.span()=>
                const _: () = ::kempe_sdk::__private::assert_key(
                    &[#(<#all as ::kempe_sdk::abi::AbiType>::TYPE),*]
                );
            }
        })
    }

    /// The constant that describes the field.
    pub(crate) fn def(&self) -> TokenStream {
        let (name, doc, value, keys) = (text::bare(&self.name), &self.doc, &self.value, &self.keys);
        let cell = match self.cell {
            Cell::Item | Cell::Map => quote! { Value },
            Cell::Counter | Cell::CounterMap | Cell::Sharded | Cell::ShardedMap => {
                quote! { Counter }
            }
            Cell::Max | Cell::MaxMap => quote! { Maximum },
            Cell::Min | Cell::MinMap => quote! { Minimum },
            Cell::Stock | Cell::StockMap => quote! { Stock },
            Cell::Log | Cell::LogMap => quote! { Log },
            Cell::Immutable => quote! { Immutable },
        };
        // The number of the shard is the last key.
        let shard = self.is_sharded().then(|| quote! { u8 });
        let keys = keys.iter().map(|key| quote! { #key }).chain(shard);
        quote! {
            ::kempe_sdk::abi::def::FieldDef {
                name: #name,
                doc: #doc,
                cell: ::kempe_sdk::abi::def::CellDef::#cell,
                keys: &[#(<#keys as ::kempe_sdk::abi::AbiType>::TYPE),*],
                value: <#value as ::kempe_sdk::abi::AbiType>::TYPE,
            }
        }
    }
}

/// The most fields of a contract: the number of a field is one byte.
const FIELDS_MAX: usize = 256;

/// The most shards of a cell: each is an entry in the list of whoever reads the total. Ours to choose.
const SHARDS_MAX: u8 = 64;

/// The storage fields of the contract's struct.
pub(crate) fn read_all(item: &ItemStruct) -> syn::Result<Vec<Field>> {
    if !item.generics.params.is_empty() {
        return Err(syn::Error::new_spanned(
            &item.generics,
            "a contract has no generic parameters",
        ));
    }
    text::name(&item.ident)?;
    let fields = match &item.fields {
        Fields::Named(fields) => &fields.named,
        Fields::Unit => return Ok(Vec::new()),
        Fields::Unnamed(fields) => {
            return Err(syn::Error::new_spanned(fields, "the fields of a contract have names"));
        }
    };
    if fields.len() > FIELDS_MAX {
        return Err(syn::Error::new_spanned(fields, "a contract has at most 256 fields"));
    }
    let mut errors = text::Errors::default();
    let read = fields.iter().filter_map(|field| errors.note(read(field))).collect();
    errors.into_error().map_or(Ok(read), Err)
}

fn read(field: &syn::Field) -> syn::Result<Field> {
    let name = field.ident.clone().ok_or_else(|| not_storage(&field.ty))?;
    if matches!(&*text::name(&name)?, "caller" | "this" | "element") {
        return Err(text::error(
            name.span(),
            &format!("`{name}` has a meaning of its own in `#[access(...)]`"),
            "give the field another name",
        ));
    }
    let (mut keys, mut cell, mut value) = (Vec::new(), Cell::Item, field.ty.clone());
    let mut shards = 1;
    loop {
        if let Some((inner, n)) = sharded(&value)? {
            cell = if keys.is_empty() { Cell::Sharded } else { Cell::ShardedMap };
            (value, shards) = (inner, n);
            break;
        }
        let (word, args) = generic(&value).ok_or_else(|| not_storage(&value))?;
        if let (Some(found), [inner]) = (cell_of(&word, keys.is_empty()), &*args) {
            (cell, value) = (found, inner.clone());
            break;
        }
        match (&*word.to_string(), &*args, keys.is_empty()) {
            ("Map", [key, inner], _) => {
                match key {
                    Type::Tuple(tuple) => keys.extend(tuple.elems.iter().cloned()),
                    key => keys.push(key.clone()),
                }
                cell = Cell::Map;
                value = inner.clone();
                let is_cell = |word: &Ident| {
                    word == "Map" || word == "Sharded" || cell_of(word, false).is_some()
                };
                if !last_segment(&value).is_some_and(|last| is_cell(&last.ident)) {
                    break;
                }
            }
            ("Item", [inner], true) => {
                value = inner.clone();
                break;
            }
            ("Immutable", [inner], true) => {
                cell = Cell::Immutable;
                value = inner.clone();
                break;
            }
            _ => return Err(not_storage(&field.ty)),
        }
    }
    Ok(Field { name, doc: text::doc(&field.attrs), cell, keys, value, shards })
}

/// What has a name of its own also behind keys.
fn cell_of(word: &Ident, in_item: bool) -> Option<Cell> {
    Some(match (&*word.to_string(), in_item) {
        ("Counter", true) => Cell::Counter,
        ("Counter", false) => Cell::CounterMap,
        ("Max", true) => Cell::Max,
        ("Max", false) => Cell::MaxMap,
        ("Min", true) => Cell::Min,
        ("Min", false) => Cell::MinMap,
        ("Stock", true) => Cell::Stock,
        ("Stock", false) => Cell::StockMap,
        ("Log", true) => Cell::Log,
        ("Log", false) => Cell::LogMap,
        _ => return None,
    })
}

fn not_storage(ty: &Type) -> syn::Error {
    text::error(
        ty.span(),
        "a field of a contract is a storage type",
        "write `Item<T>`, `Map<K, V>`, `Counter<u64>`, `Map<K, Counter<u64>>`, `Sharded<Counter<u64>, 16>`, `Max<u64>`, `Min<u64>`, `Stock<u64>`, `Log<T>` or `Immutable<T>`",
    )
}

/// The type of the count and the number of shards of `Sharded<Counter<T>, N>`.
fn sharded(ty: &Type) -> syn::Result<Option<(Type, u8)>> {
    let Some(last) = last_segment(ty).filter(|last| last.ident == "Sharded") else {
        return Ok(None);
    };
    let wrong = || {
        text::error(
            ty.span(),
            &format!(
                "a sharded cell is a counter in 2 to {SHARDS_MAX} shards, whose number is a literal"
            ),
            "write `Sharded<Counter<u64>, 16>`",
        )
    };
    let PathArguments::AngleBracketed(args) = &last.arguments else { return Err(wrong()) };
    let args: Vec<&GenericArgument> = args.args.iter().collect();
    let [GenericArgument::Type(counter), GenericArgument::Const(Expr::Lit(shards))] = &*args else {
        return Err(wrong());
    };
    let shards = match &shards.lit {
        Lit::Int(shards) => shards.base10_parse().ok().filter(|n| (2..=SHARDS_MAX).contains(n)),
        _ => None,
    };
    match (generic(counter), shards) {
        (Some((word, args)), Some(shards)) if word == "Counter" => match &*args {
            [value] => Ok(Some((value.clone(), shards))),
            _ => Err(wrong()),
        },
        _ => Err(wrong()),
    }
}

fn last_segment(ty: &Type) -> Option<&PathSegment> {
    let Type::Path(path) = ty else { return None };
    path.path.segments.last()
}

/// The name and the type arguments of `Name<A, B>`.
fn generic(ty: &Type) -> Option<(Ident, Vec<Type>)> {
    let last = last_segment(ty)?;
    let PathArguments::AngleBracketed(args) = &last.arguments else { return None };
    let types = args.args.iter().map(|arg| match arg {
        GenericArgument::Type(ty) => Some(ty.clone()),
        _ => None,
    });
    Some((last.ident.clone(), types.collect::<Option<_>>()?))
}
