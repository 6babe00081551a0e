/**
 * The common part of bindings to Kempe contracts: encoding, hashes, keys, transactions, receipts.
 *
 * Integers of up to 32 bits are numbers, larger ones bigints. Names are those of the chain. What
 * cannot be done throws a {@link KempeError} and changes nothing.
 */

/** An account (an ed25519 public key) or a contract: `0x` and 64 hexadecimal digits. */
export type Address = `0x${string}`;

/** A hash: `0x` and 64 hexadecimal digits. */
export type Hash = `0x${string}`;

/** The most bytes of a signed transaction. */
export const TX_BYTES_MAX: number;

/** The most actions of a transaction. */
export const ACTIONS_MAX: number;

/** The most entries of a transaction's access list. */
export const LIST_ENTRIES_MAX: number;

/** What was expected and what was found, with the place in the value. */
export class KempeError extends Error {}

/** `0x` and two digits for each byte. */
export function toHex(bytes: Uint8Array): `0x${string}`;

/** The bytes of hexadecimal digits, with or without `0x`. */
export function fromHex(text: string): Uint8Array;

/** The 32 bytes of a blake3 hash. */
export function blake3(bytes: Uint8Array): Uint8Array;

/** The 32 bytes of a keyed blake3 hash; the key has 32 bytes. */
export function blake3Keyed(key: Uint8Array, bytes: Uint8Array): Uint8Array;

/** The 32 bytes that blake3 derives from bytes in a context. */
export function blake3Derive(context: string, bytes: Uint8Array): Uint8Array;

/**
 * A type of the chain. Its values:
 *
 * | type | value |
 * | --- | --- |
 * | `u8` to `i32` | number |
 * | `u64` to `i128` | bigint |
 * | `bool`, `string` | boolean, string |
 * | `address`, `hash` | `0x` and 64 digits |
 * | `unit` | null |
 * | option | the value or null; `{ some: value }` or null where the value may be null |
 * | list, array of `u8` | Uint8Array |
 * | other lists, arrays, tuples | array |
 * | struct | object; array if the fields are called `0`, `1`, ... |
 * | enum without fields | the variant's name |
 * | other enums | `{ kind: name }`, with the fields as `value` if there are any |
 */
export type Type =
  | "unit" | "bool" | "string" | "address" | "hash"
  | "u8" | "u16" | "u32" | "u64" | "u128" | "i8" | "i16" | "i32" | "i64" | "i128"
  | { option: Type }
  | { list: Type }
  | { array: Type; length: number }
  | { tuple: Type[] }
  | { name: string; struct: [string, Type][] }
  | { name: string; enum: [string, [string, Type][]][] };

/** The canonical encoding of a value. Throws if it is not of the type, and says where. */
export function encode(type: Type, value: unknown): Uint8Array;

/** The value of a canonical encoding. Throws if the bytes are not exactly one. */
export function decode(type: Type, bytes: Uint8Array): unknown;

/** The secret key of an account, held by the platform's WebCrypto, and not extractable from there. */
export class Key {
  private constructor();
  /** The account. */
  readonly address: Address;
  /** The key of a seed of 32 bytes, as `kempe keys export` shows it. */
  static fromSeed(seed: Uint8Array): Promise<Key>;
  /** A new key. Nobody can show its seed: it is gone with the process. */
  static generate(): Promise<Key>;
  /** The ed25519 signature of a message. */
  sign(message: Uint8Array): Promise<Uint8Array>;
}

/** One thing to do. Contracts make calls; `$deploy`, `$upgrade` and {@link transfer} make the others. */
export type Action =
  | { kind: "Call"; value: { contract: Address; method: number; args: Uint8Array } }
  | { kind: "Deploy"; value: { wasm: Uint8Array; args: Uint8Array; authority: Address | null } }
  | { kind: "Transfer"; value: { to: Address; amount: bigint } }
  | {
      kind: "Upgrade";
      value: {
        contract: Address;
        wasm: Uint8Array;
        args: Uint8Array;
        allow_wider: boolean;
        authority: Address | null;
      };
    };

/** Moves native balance. */
export function transfer(to: Address, amount: bigint): Action;

/** How a key is touched. */
export type AccessKind = {{access_kind}};

/** A cell of state. */
export interface StateKey {
  /** The contract that owns it. */
  contract: Address;
  /** The field's number. */
  field: number;
  /** The encoded keys. */
  key: Uint8Array;
}

/** An entry of an explicit access list. */
export interface DeclaredAccess {
  kind: AccessKind;
  key: StateKey;
}

/** A request to run one or more actions, all or none. */
export interface Transaction {
  /** The chain it is for. */
  chain_id: bigint;
  /** Who signs, and pays. */
  sender: Address;
  /** One more than the sender's last transaction's; the first is 0. */
  nonce: bigint;
  /** The most fuel it may burn. */
  fuel_limit: bigint;
  /** What to do, in order. */
  actions: (Action | Call<any, any>)[];
  /** Keys that methods declared as dynamic touch; none if left out. */
  access?: DeclaredAccess[];
}

/** A transaction as it is read back: its calls are plain actions. */
export interface DecodedTransaction extends Transaction {
  actions: Action[];
  access: DeclaredAccess[];
}

/** The canonical encoding of a transaction without its signature. Throws above a limit. */
export function encodeTransaction(transaction: Transaction): Uint8Array;

/** A signed transaction from its bytes. Checks the form, not the signature. */
export function decodeTransaction(bytes: Uint8Array): {
  transaction: DecodedTransaction;
  signature: Uint8Array;
};

/** The hash that is signed, behind a domain, and that names the transaction. */
export function transactionHash(transaction: Transaction): Hash;

/** Signs a transaction; the sender may be left out. `bytes` is what a chain takes. */
export function signTransaction(
  transaction: Omit<Transaction, "sender"> & { sender?: Address },
  key: Key,
): Promise<{ hash: Hash; signature: Uint8Array; bytes: Uint8Array }>;

/** The address of the contract that an action of a sender's transaction deploys on a chain. */
export function contractAddress(
  chainId: bigint,
  sender: Address,
  nonce: bigint,
  action?: number,
): Address;

/** The selector of a method or the identifier of an event. */
export function methodId(name: string): number;

/** How a transaction ended. */
export type Outcome =
  | { kind: "Ok" }
  | { kind: "Revert"; code: number }
  | { kind: "Trap"; code: number; name: string; text: string };

/** An event as a receipt holds it. */
export interface EventRecord {
  contract: Address;
  id: number;
  data: Uint8Array;
}

/** How much is taken of a stock. */
export interface Bound {
  /** The number that is taken. */
  amount: bigint;
  /** What is left at least. */
  floor: bigint;
}

/** A touch that the access list does not permit. */
export interface Undeclared {
  /** What was touched. */
  key: StateKey;
  /** How. */
  wanted: AccessKind;
  /** What the list declares for the key. */
  declared: AccessKind | null;
  /** If a stock was to be taken from: how much in all, and what was to be left. */
  takes: Bound | null;
  /** How much the list declares that is taken, where it declares nothing else for the key. */
  may_take: Bound | null;
}

/** What became of a transaction. */
export interface Receipt {
  /** The transaction's hash. */
  tx: Hash;
  /** How it ended. */
  outcome: Outcome;
  /** The fuel it burned. */
  fuel: bigint;
  /** What its sender paid. */
  fee: bigint;
  /** The encoded results of its actions; empty unless it succeeded. */
  results: Uint8Array[];
  /** Its events; empty unless it succeeded. */
  events: EventRecord[];
  /** The hash of what it touched. */
  footprint: Hash;
  /** Whether it ran in the tail lane. */
  tail: boolean;
  /** Where and why it failed, if it did. */
  failure: {
    /** The position of the action. */
    action: number;
    /** Who reverted or was stopped; the zero address for the chain itself. */
    contract: Address;
    /** A touch without permission, if that was why. */
    undeclared: Undeclared | null;
    /** The cell that stopped it, if a clause `unless` was why. */
    guard: StateKey | null;
    /** The counter or stock that would have left its bounds, if that was why. */
    counter: StateKey | null;
  } | null;
}

/** A receipt from its canonical encoding. */
export function decodeReceipt(bytes: Uint8Array): Receipt;

/** What became of a call: its result, its own error, another contract's, or what stopped it. */
export type CallOutcome<R, E> =
  | { kind: "Ok"; value: R }
  | { kind: "Refused"; error: E }
  | { kind: "Revert"; code: number; contract: Address | null }
  | { kind: "Trap"; code: number; name: string; text: string };

/** A call with result `R` and errors `E`; stands among a transaction's actions. */
export class Call<R, E> {
  private constructor();
  /** The action. */
  readonly action: Action;
  /** The result from its bytes. */
  decode(bytes: Uint8Array): R;
  /** The method's error with this code, if it has one. */
  error(code: number): E | undefined;
  /** What became of the call, which was the transaction's action at this position (0). */
  outcome(receipt: Receipt, action?: number): CallOutcome<R, E>;
}

/** A contract on a chain. What is not the contract's own begins with `$`. */
export abstract class Contract<Event> {
  /** The contract at an address. */
  constructor(address: Address);
  /** Where it is. */
  readonly $address: Address;
  /** Its events in a receipt, in order. */
  $events(receipt: Receipt): Event[];
}
