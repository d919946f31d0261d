// What is told of values, and of what is thrown.
'use strict';

const util = require('node:util');

const LARGEST_RESULT = 4 << 20;

/** What values offer to notebooks: the methods that Jupyter's kernels for JavaScript have made a convention of. */
const REPRESENTATIONS = [['_toHtml', 'text/html'], ['_toMarkdown', 'text/markdown'], ['_toSvg', 'image/svg+xml'], ['_toPng', 'image/png'], ['_toJpeg', 'image/jpeg']];

/** How images begin. */
const SIGNATURES = [['89504e470d0a1a0a', 'image/png'], ['ffd8ff', 'image/jpeg'], ['47494638', 'image/gif']];

const bytesOf = (value) => Buffer.from(value.buffer, value.byteOffset, value.byteLength);

/** What a value looks like: its text, JSON if it is data, and what it offers itself. Media types to content; images in base64. */
function represent(value) {
  const result = { 'text/plain': util.inspect(value) };
  if (value === null || (typeof value !== 'object' && typeof value !== 'function')) return result;
  const add = (media, content) => {
    if (content instanceof Uint8Array) content = bytesOf(content).toString('base64');
    if (content !== undefined && content !== null && String(content).length <= LARGEST_RESULT) result[media] = content;
  };
  const attempt = (action) => {
    try {
      action();
    } catch {
      // Then it has none.
    }
  };
  attempt(() => {
    const bundle = typeof value._toMime === 'function' ? value._toMime() : value[Symbol.for('Jupyter.display')]?.();
    if (bundle && typeof bundle.then !== 'function') for (const [media, content] of Object.entries(bundle)) add(media, content);
  });
  for (const [method, media] of REPRESENTATIONS) attempt(() => { if (typeof value[method] === 'function') add(media, value[method]()); });
  if (value instanceof Uint8Array) {
    const head = bytesOf(value).subarray(0, 8).toString('hex');
    for (const [begins, media] of SIGNATURES) if (head.startsWith(begins)) add(media, value);
  } else if (result['application/json'] === undefined) {
    attempt(() => {
      const prototype = Object.getPrototypeOf(value);
      if (!Array.isArray(value) && prototype !== Object.prototype && prototype !== null && typeof value.toJSON !== 'function') return;
      const json = JSON.stringify(value);
      if (json !== undefined && json.length <= LARGEST_RESULT) result['application/json'] = JSON.parse(json);
    });
  }

  return result;
}

/** What is told of something that was thrown: as text, and as data. */
function describe(error) {
  const clip = (text) => String(text).slice(0, 10_000);
  try {
    if (util.types.isNativeError(error)) {
      // What is below the code are the runner and Node.
      const lines = String(error.stack).split('\n');
      const end = lines.findIndex((line) => /^ +at .*Script\.runInThisContext/.test(line) || line.includes(`${__dirname}/`));
      if (end > 0) error.stack = lines.slice(0, end).join('\n');
      return { told: `Uncaught ${util.inspect(error)}`, exception: { type: clip(error.name), text: clip(error.message), stack: clip(error.stack) } };
    }

    return { told: `Uncaught ${util.inspect(error)}`, exception: { type: error === null ? 'null' : error?.constructor?.name ?? typeof error, text: clip(typeof error === 'string' ? error : util.inspect(error)) } };
  } catch {
    // Its own members throw.
    return { told: 'Uncaught exception', exception: { type: typeof error, text: '' } };
  }
}

module.exports = { describe, represent };
