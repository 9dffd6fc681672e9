// Prints ecmascript.json: what ECMAScript's own JSON.stringify makes of numbers and texts. Run: node make_ecmascript.js > ecmascript.json
"use strict";

function canonical(value) {
  if (Array.isArray(value)) return "[" + value.map(canonical).join(",") + "]";
  if (value === null || typeof value !== "object") return JSON.stringify(value);
  const members = Object.keys(value).sort().map((key) => JSON.stringify(key) + ":" + canonical(value[key]));
  return "{" + members.join(",") + "}";
}

// A generator of its own, so that every run prints the same.
let state = 0x2545f491n;
function random32() {
  state ^= (state << 13n) & 0xffffffffffffffffn;
  state ^= state >> 7n;
  state ^= (state << 17n) & 0xffffffffffffffffn;
  return Number(state & 0xffffffffn);
}

const view = new DataView(new ArrayBuffer(8));
function fromBits(high, low) {
  view.setUint32(0, high >>> 0);
  view.setUint32(4, low >>> 0);
  return view.getFloat64(0);
}
function bits(number) {
  view.setFloat64(0, number);
  return view.getBigUint64(0).toString(16).padStart(16, "0");
}
function neighbours(number) {
  view.setFloat64(0, number);
  const at = view.getBigUint64(0);
  return [-1n, 0n, 1n].map((step) => {
    view.setBigUint64(0, at + step);
    return view.getFloat64(0);
  });
}

const numbers = [0, -0, NaN, Infinity, -Infinity, Number.MIN_VALUE, Number.MAX_VALUE, 2.2250738585072014e-308, 4.35, 0.000001, 123e-20];
for (const edge of [1e-7, 1e-6, 1e-5, 1, 10, 1e15, 1e16, 1e17, 1e20, 1e21, 1e22, 1e23, 2 ** 53, 2 ** 63, 2 ** 64, 1e100, 5e-300]) {
  for (const near of neighbours(edge)) numbers.push(near, -near);
}
for (let count = 0; count < 150; count++) {
  numbers.push(fromBits(random32(), random32()));
  numbers.push(fromBits(random32() & 0x800fffff, random32()));
  numbers.push((random32() / 2 ** 32) * 10 ** (count % 30));
  numbers.push(((random32() % 200000) - 100000) / 1000);
}

let controls = "";
for (let code = 0; code < 0x20; code++) controls += "\\u" + code.toString(16).padStart(4, "0");

const texts = [
  '"' + controls + '"',
  '"\\u007f\x7f\\u0080\x80\\u009f"',
  '"\u2028\u2029\\u2028\\u2029"',
  '"\\/\\b\\f\\n\\r\\t\\"\\\\"',
  '"\\ud83d\\ude00 \u{1f600}"',
  '"\\ud83d"',
  '"\\ude00"',
  '"\\ude00\\ud83d"',
  '"a\\ud83d\\ud83d\\ude00\\ude00z"',
  '{"\\ud83d":1,"\\ude00":2,"\u{1f600}":3,"\uffff":4,"\ue000":5,"z":6}',
  '{"\u{10000}":1,"\uffee":2,"\ue000":3,"\ud7ff":4}',
  '{"\u{1f600}":1,"\u{1f601}":2,"\u{10ffff}":3,"\uff61":4}',
  '{"b":1,"a":2,"":3,"__proto__":4,"constructor":5,"10":6,"9":7,"-1":8}',
  '{"a":1,"a":2}',
  '{"\u00e9":1,"e\u0301":2,"E":3,"e":4}',
  '{"\x7f":1,"~":2,"\x80":3}',
  "9007199254740991",
  "9007199254740992",
  "9007199254740993",
  "-9007199254740993",
  "123456789012345678901234567890",
  "100000000000000000000",
  "1000000000000000000000",
  "1" + "0".repeat(308),
  "1" + "0".repeat(309),
  "-1" + "0".repeat(400),
  "1e400",
  "-1e400",
  "1e-400",
  "-0",
  "-0.0",
  "1.0",
  "1E+2",
  "0.1e1",
  "[1,[2.50,[null,true,false,[]]],{}]",
  ' \t\r\n{ "a" : [ 1 , 2 ] } ',
];

const lines = (items) => items.map((item) => "  " + JSON.stringify(item)).join(",\n");
process.stdout.write(`{
 "note": "Printed by make_ecmascript.js under node 20. numbers: the bits of a double, and its JSON text. texts: a JSON text, and its canonical form.",
 "numbers": [
${lines(numbers.map((number) => [bits(number), JSON.stringify(number)]))}
 ],
 "texts": [
${lines(texts.map((text) => [text, canonical(JSON.parse(text))]))}
 ]
}
`);
