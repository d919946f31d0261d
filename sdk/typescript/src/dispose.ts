// Node.js 18 and some browsers have no Symbol.asyncDispose yet; `await using` is compiled to something that looks for it.
const symbols = Symbol as unknown as { asyncDispose?: symbol };
symbols.asyncDispose ??= Symbol.for("Symbol.asyncDispose");
export {};
