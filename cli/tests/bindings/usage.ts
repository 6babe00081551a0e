// What a program may and may not say; the compiler checks it where there is one.

import { type Address, type Receipt, Key, signTransaction, transfer } from "./kempe.js";
import { Token, type Event, type TokenError } from "./token.js";

declare const receipt: Receipt;
declare const wasm: Uint8Array;
const ann: Address = "0x00";
const token = new Token(ann);
const moved = token.transfer(ann, 5n);
const balance = token.balance(ann);

async function run(key: Key): Promise<Uint8Array> {
  const actions = [moved, balance, transfer(ann, 1n), Token.$deploy(wasm, null, ann), token.$upgrade(wasm, false, ann)];
  const signed = await signTransaction({ chain_id: 1n, nonce: 0n, fuel_limit: 1n, actions }, key);
  return signed.bytes;
}

const outcome = balance.outcome(receipt, 1);
if (outcome.kind === "Ok") {
  const amount: bigint = outcome.value;
}
const refused = moved.outcome(receipt);
if (refused.kind === "Refused") {
  const error: TokenError = refused.error;
  if (error.kind === "InsufficientBalance") {
    const code: 101 = error.code;
  }
  // @ts-expect-error: there is no such error
  if (error.kind === "NoSuchError") run;
}
for (const event of token.$events(receipt)) {
  const any: Event = event;
  if (event.kind === "Transfer") {
    const amount: bigint = event.value.amount;
    // @ts-expect-error: there is no such field
    event.value.fee;
  }
}

// @ts-expect-error: an amount is a bigint
token.transfer(ann, 5);
// @ts-expect-error: an argument is missing
token.transfer(ann);
// @ts-expect-error: there is no such method
token.steal(ann);
// @ts-expect-error: keys are made by fromSeed and generate
new Key();
