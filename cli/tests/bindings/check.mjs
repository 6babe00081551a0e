// Compares what the package makes with what the chain made.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import * as kempe from "./kempe.js";

const vectors = JSON.parse(readFileSync("vectors.json", "utf8"));
const { fromHex, toHex } = kempe;

const WIDE = ["u64", "u128", "i64", "i128"];
const isPositions = (fields) => fields.length > 0 && fields.every(([name], i) => name === String(i));

/** From the JSON of the command line to the values of the package. */
function revive(type, json) {
  if (WIDE.includes(type)) return BigInt(json);
  if (typeof type === "string") return json;
  if (type.option) {
    if (json === null) return null;
    const wrapped = type.option === "unit" || type.option.option !== undefined;
    return wrapped ? { some: revive(type.option, json.some) } : revive(type.option, json);
  }
  const of = type.list ?? type.array;
  if (of === "u8") return fromHex(json);
  if (of) return json.map((item) => revive(of, item));
  if (type.tuple) return type.tuple.map((member, i) => revive(member, json[i]));
  if (type.struct) return reviveFields(type.struct, json);
  if (type.enum.every(([, fields]) => fields.length === 0)) return json;
  if (typeof json === "string") return { kind: json };
  const [[kind, value]] = Object.entries(json);
  return { kind, value: reviveFields(type.enum.find(([name]) => name === kind)[1], value) };
}

function reviveFields(fields, json) {
  if (isPositions(fields)) return fields.map(([, type], i) => revive(type, json[i]));
  return Object.fromEntries(fields.map(([name, type]) => [name, revive(type, json[name])]));
}

function throws(what, run) {
  assert.throws(run, kempe.KempeError, what);
}

for (const { n_bytes, plain, keyed, derived } of vectors.hashes) {
  const input = Uint8Array.from({ length: n_bytes }, (_, i) => i % 251);
  assert.equal(toHex(kempe.blake3(input)), plain, `hash of ${n_bytes} bytes`);
  assert.equal(toHex(kempe.blake3Keyed(new Uint8Array(32).fill(7), input)), keyed);
  assert.equal(toHex(kempe.blake3Derive("kempe test", input)), derived);
}

function reviveAction(json) {
  const [[kind, value]] = Object.entries(json);
  for (const name of ["args", "wasm"]) if (name in value) value[name] = fromHex(value[name]);
  if ("amount" in value) value.amount = BigInt(value.amount);
  return { kind, value };
}

function reviveAccess({ kind, key }) {
  return { kind, key: { ...key, key: fromHex(key.key) } };
}

for (const [i, vector] of vectors.transactions.entries()) {
  const { chain_id, nonce, fuel_limit, sender, actions, access } = vector.transaction;
  const transaction = {
    chain_id: BigInt(chain_id),
    sender,
    nonce: BigInt(nonce),
    fuel_limit: BigInt(fuel_limit),
    actions: actions.map(reviveAction),
    access: access.map(reviveAccess),
  };
  const key = await kempe.Key.fromSeed(fromHex(vector.seed));
  assert.equal(key.address, sender);
  assert.equal(kempe.transactionHash(transaction), vector.hash);
  const { sender: _, ...unsent } = transaction;
  for (const given of [transaction, unsent]) {
    const signed = await kempe.signTransaction(given, key);
    assert.equal(signed.hash, vector.hash);
    assert.equal(toHex(signed.bytes), vector.bytes, `transaction ${i}`);
    assert.equal(toHex(signed.bytes.slice(-64)), toHex(signed.signature));
  }
  const bytes = fromHex(vector.bytes);
  // A Buffer is a Uint8Array too, with ways of its own.
  for (const given of [bytes, Buffer.from(bytes)]) {
    const decoded = kempe.decodeTransaction(given);
    assert.deepEqual(decoded, { transaction, signature: bytes.slice(-64) });
  }
  throws("a byte left over", () => kempe.decodeTransaction(fromHex(vector.bytes + "00")));
  throws("a byte missing", () => kempe.decodeTransaction(bytes.slice(0, -1)));
  assert.equal(kempe.contractAddress(transaction.chain_id, sender, transaction.nonce, i), vector.deployed);
  const stranger = { ...transaction, sender: kempe.toHex(new Uint8Array(32)) };
  await assert.rejects(kempe.signTransaction(stranger, key), kempe.KempeError);
}

for (const { bytes, receipt } of vectors.receipts) {
  const expected = {
    ...receipt,
    fuel: BigInt(receipt.fuel),
    fee: BigInt(receipt.fee),
    results: receipt.results.map(fromHex),
    events: receipt.events.map((event) => ({ ...event, data: fromHex(event.data) })),
  };
  const undeclared = receipt.failure?.undeclared;
  if (undeclared) undeclared.key.key = fromHex(undeclared.key.key);
  for (const name of ["takes", "may_take"]) {
    const bound = undeclared?.[name];
    if (bound) undeclared[name] = { amount: BigInt(bound.amount), floor: BigInt(bound.floor) };
  }
  for (const key of [receipt.failure?.guard, receipt.failure?.counter]) {
    if (key) key.key = fromHex(key.key);
  }
  assert.deepEqual(kempe.decodeReceipt(fromHex(bytes)), expected);
}

const ADDRESS = toHex(new Uint8Array(32).fill(0xab));
const OTHER = toHex(new Uint8Array(32).fill(0xcd));

/** A receipt of a transaction whose second action is the call. */
function receiptOf(outcome, contract = ADDRESS, action = 1) {
  const failure = outcome.kind === "Ok" ? null : { action, contract, undeclared: null, guard: null, counter: null };
  return { outcome, failure, results: [], events: [] };
}

for (const { module, class: name, methods, deploys, upgrades, events } of vectors.contracts) {
  const Client = (await import(`./${module}.js`))[name];
  const { $abi: abi } = Client;
  const client = new Client(ADDRESS.toUpperCase().replace("0X", "0x"));
  const abiMethod = (of) => abi.methods.find((method) => method.name === of);
  const nameOf = (of) => [of, `${of}_`].find((found) => Object.hasOwn(Client.prototype, found) && found !== "constructor");

  for (const vector of methods) {
    const method = abiMethod(vector.method);
    assert.equal(kempe.methodId(vector.method), vector.id);
    assert.equal(method.id, vector.id);
    const values = method.params.map(([, type], i) => revive(type, vector.args[i]));
    const call = client[nameOf(vector.method)](...values);
    const { kind, value } = call.action;
    assert.deepEqual([kind, value.contract, value.method], ["Call", ADDRESS, vector.id]);
    assert.equal(toHex(value.args), vector.args_bytes, `${name}.${vector.method}`);

    const returned = revive(method.returns, vector.returns);
    const bytes = fromHex(vector.returns_bytes);
    assert.deepEqual(call.decode(bytes), returned);
    assert.equal(toHex(kempe.encode(method.returns, returned)), vector.returns_bytes);
    const receipt = { ...receiptOf({ kind: "Ok" }), results: [new Uint8Array(), bytes] };
    assert.deepEqual(call.outcome(receipt, 1), { kind: "Ok", value: returned });
    throws("no such result", () => call.outcome(receipt, 2));

    const args = { name: vector.method, struct: method.params };
    for (const { bytes, valid } of vector.changed) {
      const decoded = () => kempe.decode(args, fromHex(bytes));
      if (valid) assert.equal(toHex(kempe.encode(args, decoded())), bytes);
      else throws(`${name}.${vector.method}: ${bytes}`, decoded);
    }

    for (const [code, kind] of vector.errors) {
      const revert = { kind: "Revert", code };
      const refused = { kind: "Refused", error: { kind, code } };
      assert.deepEqual(call.error(code), { kind, code });
      assert.deepEqual(call.outcome(receiptOf(revert), 1), refused);
      // Neither another contract's error nor another action's is the method's own.
      const elsewhere = { ...revert, contract: OTHER };
      assert.deepEqual(call.outcome(receiptOf(revert, OTHER), 1), elsewhere);
      assert.deepEqual(call.outcome(receiptOf(revert), 0), { ...revert, contract: ADDRESS });
    }
    assert.equal(call.error(99), undefined);
    const trap = { kind: "Trap", code: 1, name: "OutOfFuel", text: "" };
    assert.deepEqual(call.outcome(receiptOf(trap), 1), trap);
    throws("an argument too many", () => client[nameOf(vector.method)](...values, null));
  }

  for (const vector of deploys) {
    const { params } = abiMethod("init");
    const values = params.map(([, type], i) => revive(type, vector.args[i]));
    const wasm = Uint8Array.of(0, 0x61);
    const expected = { wasm, args: fromHex(vector.args_bytes), authority: OTHER };
    assert.deepEqual(Client.$deploy(wasm, OTHER, ...values), { kind: "Deploy", value: expected });
  }

  for (const vector of upgrades) {
    const { params } = abiMethod("migrate");
    const values = params.map(([, type], i) => revive(type, vector.args[i]));
    const wasm = Uint8Array.of(0, 0x61);
    const args = fromHex(vector.args_bytes);
    const expected = { contract: ADDRESS, wasm, args, allow_wider: true, authority: null };
    const upgrade = client.$upgrade(wasm, true, null, ...values);
    assert.deepEqual(upgrade, { kind: "Upgrade", value: expected });
  }

  const records = events.map(({ id, bytes }) => ({ contract: ADDRESS, id, data: fromHex(bytes) }));
  const expected = events.map(({ event, value }) => {
    const { fields } = abi.events.find((found) => found.name === event);
    return { kind: event, contract: ADDRESS, value: reviveFields(fields, value) };
  });
  assert.deepEqual(records.map((record) => Client.$event(record)), expected);
  assert.equal(Client.$event({ contract: ADDRESS, id: 0xffffffff, data: new Uint8Array() }), undefined);
  const foreign = records.map((record) => ({ ...record, contract: OTHER }));
  assert.deepEqual(client.$events({ events: [...foreign, ...records] }), expected);
}

// What is no value is refused, with its place, before anything is made of it.
const order = {
  name: "Order",
  struct: [["items", { list: { name: "Item", struct: [["n", "u8"], ["to", "address"]] } }]],
};
const bad = (type, value, message) =>
  assert.throws(() => kempe.encode(type, value), { name: "KempeError", message });
bad(order, { items: [{ n: 256, to: ADDRESS }] }, "at `items[0].n`: expected u8, got 256");
bad(order, { items: [{ n: 1 }] }, "at `items[0].to`: expected address, got undefined");
bad(order, { items: [], more: 1 }, 'Order has no field "more"');
bad(order, null, "expected Order, got null");
bad(order, Object.create({ items: [] }), "at `items`: expected list<Item>, got undefined");
for (const value of [1.5, NaN, Infinity, -1, 2 ** 53, "1", null, undefined, true, 256n, [], {}]) {
  throws(`u8 of ${String(value)}`, () => kempe.encode("u8", value));
}
for (const text of ["", "0x", ADDRESS + "0", ADDRESS.slice(0, -1) + "g", ADDRESS.slice(0, -2), 5, null]) {
  throws(`address of ${text}`, () => kempe.encode("address", text));
}
throws("a value left out", () => kempe.encode({ option: "u8" }, undefined));
throws("half a surrogate pair", () => kempe.encode("string", "a\ud800"));
throws("a sparse list", () => kempe.encode({ list: "u16" }, [1, , 3]));
throws("a list instead of bytes", () => kempe.encode({ list: "u8" }, [1]));
throws("an array of another length", () => kempe.encode({ array: "u16", length: 2 }, [1]));
throws("a count without items", () => kempe.decode({ list: "u16" }, fromHex("ffffffff")));
throws("a list of nothing", () => kempe.decode({ list: "unit" }, fromHex("ffffffff")));
throws("no variant", () => kempe.encode({ name: "E", enum: [["A", []]] }, "toString"));
throws("bad UTF-8", () => kempe.decode("string", fromHex("01000000ff")));
throws("no bytes", () => kempe.decode("u8", "0x01"));
throws("odd digits", () => fromHex("0x1"));
const call = { kind: "Transfer", value: { to: ADDRESS, amount: 1n } };
const base = { chain_id: 1n, sender: ADDRESS, nonce: 0n, fuel_limit: 1n };
throws("no actions", () => kempe.encodeTransaction({ ...base, actions: [] }));
throws("too many actions", () => kempe.encodeTransaction({ ...base, actions: Array(65).fill(call) }));
const large = { kind: "Deploy", value: { wasm: new Uint8Array(2 ** 20), args: new Uint8Array(), authority: null } };
throws("too large", () => kempe.encodeTransaction({ ...base, actions: [large] }));
throws("a wrong name", () => kempe.encodeTransaction({ ...base, actions: [call], fuel: 1n }));
await assert.rejects(kempe.Key.fromSeed(new Uint8Array(31)), kempe.KempeError);

// Every export is declared, and what is declared as a value is there.
const declared = [...readFileSync("kempe.d.ts", "utf8").matchAll(/^export (?:abstract )?(?:const|function|class) (\w+)/gm)];
const names = declared.map(([line, name]) => name).concat("Contract");
assert.deepEqual([...new Set(names)].sort(), Object.keys(kempe).sort());

const made = await kempe.Key.generate();
assert.match(made.address, /^0x[0-9a-f]{64}$/);
assert.equal(JSON.stringify(made), JSON.stringify({ address: made.address }));
