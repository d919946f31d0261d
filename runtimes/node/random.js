// Randomness: a fork must not go on with the numbers of its template.
'use strict';

const { reseeder } = require('./native.js');

const reseedOpenssl = reseeder();

// Math.random of V8 goes on from a state inside V8 that no program can change, and that all forks share. Ours is xoshiro128** (Blackman and Vigna), which a fork seeds.
const state = new Uint32Array(4);

function next() {
  const [a, b, c, d] = state;
  const five = Math.imul(b, 5);
  const result = Math.imul((five << 7) | (five >>> 25), 9);
  state[2] = c ^ a;
  state[3] = d ^ b;
  state[1] = b ^ state[2];
  state[0] = a ^ state[3];
  state[2] ^= b << 9;
  state[3] = (state[3] << 11) | (state[3] >>> 21);
  return result;
}

function replaceRandom() {
  const original = Math.random;
  // Bound: so that it shows as native code, as programs that look at it expect.
  const random = function () { return ((next() >>> 5) * 67108864 + (next() >>> 6)) / 9007199254740992; }.bind(undefined);
  Object.defineProperty(random, 'name', { value: original.name, configurable: true });
  Math.random = random;
}

/** Begins anew, from a seed of 16 bytes or more. */
function reseed(seed) {
  reseedOpenssl();
  for (let i = 0; i < 4; i++) state[i] = seed.readUInt32LE(4 * i);
  if ((state[0] | state[1] | state[2] | state[3]) === 0) {
    const fresh = require('node:crypto').randomBytes(16);
    for (let i = 0; i < 4; i++) state[i] = fresh.readUInt32LE(4 * i);
  }
}

module.exports = { replaceRandom, reseed };
