const test = require('node:test');
const assert = require('node:assert');
const { greet } = require('greeter');

test('greets', () => assert.strictEqual(greet('you'), 'hello you'));
test('waits', async () => { await new Promise((resolve) => setTimeout(resolve, 10)); });
