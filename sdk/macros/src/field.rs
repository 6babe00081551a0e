//! The storage fields of a contract.

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::spanned::Spanned;
use syn::{Fields, GenericArgument, Ident, ItemStruct, PathArguments, Type};

use crate::text;

/// What a field is, which decides the methods it has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cell {
    Item,
    Map,
    Counter,
    CounterMap,
    Immutable,
}

/// How a field is touched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Touch {
    Read,
    Add,
    Write,
    /// Reads the value before the block, which conflicts with nothing.
    Start,
    /// Reads an immutable, which conflicts with nothing.
    Constant,
    /// Sets an immutable.
    Set,
}

impl Touch {
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Read | Self::Constant => "read",
            Self::Add => "add",
            Self::Write | Self::Set => "write",
            Self::Start => "start",
        }
    }

    /// Whether a declaration of this kind permits `done`.
    pub(crate) fn permits(self, done: Self) -> bool {
        self == done || (self == Self::Write && done != Self::Start)
    }
}

impl Cell {
    /// How a method of the storage type touches the field; `None` if it has no such method.
    pub(crate) fn touch(self, method: &str) -> Option<Touch> {
        Some(match (self, method) {
            (Self::Item | Self::Map | Self::Counter | Self::CounterMap, "at_start") => Touch::Start,
            (Self::Item, "get" | "exists") => Touch::Read,
            (Self::Item, "put" | "remove" | "update" | "take") => Touch::Write,
            (Self::Map, "get" | "try_get" | "contains") => Touch::Read,
            (Self::Map, "put" | "remove" | "update" | "take") => Touch::Write,
            (Self::Counter | Self::CounterMap, "get") => Touch::Read,
            (Self::Counter | Self::CounterMap, "add" | "sub") => Touch::Add,
            (Self::Counter | Self::CounterMap, "put") => Touch::Write,
            (Self::Immutable, "get") => Touch::Constant,
            (Self::Immutable, "set") => Touch::Set,
            _ => return None,
        })
    }

    /// The methods, for a help line.
    pub(crate) fn methods(self) -> &'static str {
        match self {
            Self::Item => "`get`, `exists`, `at_start`, `put`, `update`, `take`, `remove`",
            Self::Map => {
                "`get`, `try_get`, `contains`, `at_start`, `put`, `update`, `take`, `remove`"
            }
            Self::Counter | Self::CounterMap => "`get`, `at_start`, `add`, `sub`, `put`",
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
        let span = value.span();
        match self.cell {
            Cell::Item => quote_spanned! { span=> ::kempe_sdk::Item<#value, #tag> },
            Cell::Map => quote_spanned! { span=> ::kempe_sdk::Map<#key, #value, #tag> },
            Cell::Counter => quote_spanned! { span=> ::kempe_sdk::Counter<#value, #tag> },
            Cell::CounterMap => {
                quote_spanned! { span=> ::kempe_sdk::Map<#key, ::kempe_sdk::Counter<#value>, #tag> }
            }
            Cell::Immutable => quote_spanned! { span=> ::kempe_sdk::Immutable<#value, #tag> },
        }
    }

    /// `supply`, or `balances[...]`, as a clause names it.
    pub(crate) fn cell_text(&self) -> String {
        if self.keys.is_empty() { self.name.to_string() } else { format!("{}[...]", self.name) }
    }

    pub(crate) fn is_immutable(&self) -> bool {
        self.cell == Cell::Immutable
    }

    /// The constant that describes the field.
    pub(crate) fn def(&self) -> TokenStream {
        let (name, doc, value, keys) = (self.name.to_string(), &self.doc, &self.value, &self.keys);
        let cell = match self.cell {
            Cell::Item | Cell::Map => quote! { Value },
            Cell::Counter | Cell::CounterMap => quote! { Counter },
            Cell::Immutable => quote! { Immutable },
        };
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

/// The storage fields of the contract's struct.
pub(crate) fn read_all(item: &ItemStruct) -> syn::Result<Vec<Field>> {
    if !item.generics.params.is_empty() {
        return Err(syn::Error::new_spanned(
            &item.generics,
            "a contract has no generic parameters",
        ));
    }
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
    if matches!(&*name.to_string(), "caller" | "this" | "element") {
        return Err(text::error(
            name.span(),
            &format!("`{name}` has a meaning of its own in `#[access(...)]`"),
            "give the field another name",
        ));
    }
    let (mut keys, mut cell, mut value) = (Vec::new(), Cell::Item, field.ty.clone());
    loop {
        let (word, args) = generic(&value).ok_or_else(|| not_storage(&value))?;
        match (&*word.to_string(), &*args, keys.is_empty()) {
            ("Map", [key, inner], _) => {
                match key {
                    Type::Tuple(tuple) => keys.extend(tuple.elems.iter().cloned()),
                    key => keys.push(key.clone()),
                }
                cell = Cell::Map;
                value = inner.clone();
                if !generic(&value).is_some_and(|(word, _)| word == "Map" || word == "Counter") {
                    break;
                }
            }
            ("Counter", [inner], in_item) => {
                cell = if in_item { Cell::Counter } else { Cell::CounterMap };
                value = inner.clone();
                break;
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
    Ok(Field { name, doc: text::doc(&field.attrs), cell, keys, value })
}

fn not_storage(ty: &Type) -> syn::Error {
    text::error(
        ty.span(),
        "a field of a contract is a storage type",
        "write `Item<T>`, `Map<K, V>`, `Counter<u64>`, `Map<K, Counter<u64>>` or `Immutable<T>`",
    )
}

/// The name and the type arguments of `Name<A, B>`.
fn generic(ty: &Type) -> Option<(Ident, Vec<Type>)> {
    let Type::Path(path) = ty else { return None };
    let last = path.path.segments.last()?;
    let PathArguments::AngleBracketed(args) = &last.arguments else { return None };
    let types = args.args.iter().map(|arg| match arg {
        GenericArgument::Type(ty) => Some(ty.clone()),
        _ => None,
    });
    Some((last.ident.clone(), types.collect::<Option<_>>()?))
}
