// Code as scripts of the main context, whatever it was written as.
'use strict';

const path = require('node:path');
const vm = require('node:vm');

const define = (name, value) => Object.defineProperty(globalThis, name, { value, writable: true, configurable: true, enumerable: false });

let acorn;
for (const name of ['/usr/share/nodejs/acorn', 'acorn']) {
  try {
    acorn ??= require(name);
  } catch {
    // Then a top-level await is a syntax error.
  }
}

const loader = vm.constants?.USE_MAIN_CONTEXT_DEFAULT_LOADER ?? ((specifier) => import(specifier));
const compile = (code, filename, lineOffset = 0) => new vm.Script(code, { filename, lineOffset, importModuleDynamically: loader });

/** Names that a pattern binds. */
function* namesOf(pattern) {
  switch (pattern?.type) {
    case 'Identifier': yield pattern.name; break;
    case 'ObjectPattern': for (const property of pattern.properties) yield* namesOf(property.value ?? property.argument); break;
    case 'ArrayPattern': for (const element of pattern.elements) yield* namesOf(element); break;
    case 'AssignmentPattern': yield* namesOf(pattern.left); break;
    case 'RestElement': yield* namesOf(pattern.argument); break;
  }
}

/** The nodes of a tree, and of the functions in it if asked for. */
function* nodesOf(node, functions) {
  if (!node || typeof node.type !== 'string') return;
  yield node;
  for (const value of Object.values(node)) {
    if (!value || typeof value !== 'object') continue;
    for (const child of Array.isArray(value) ? value : [value]) {
      if (functions || !/Function/.test(child?.type) && child?.type !== 'ClassBody') yield* nodesOf(child, functions);
    }
  }
}

/**
 * A module's code, or a script with a top-level await, as a script: an async function whose declarations are outside of it. Its lines are one lower than they were.
 * Null when it is neither (then its syntax error is the script's). With again, its names can be declared again.
 */
function rewrite(code, filename, wantsValue, again) {
  let tree;
  try {
    tree = acorn.parse(code, { ecmaVersion: 'latest', sourceType: 'module', allowHashBang: true });
  } catch {
    try {
      // Not in strict mode, as scripts are.
      tree = acorn.parse(code, { ecmaVersion: 'latest', sourceType: 'script', allowAwaitOutsideFunction: true, allowHashBang: true });
    } catch {
      return null;
    }
  }

  const changes = []; // [start, end, text]
  const change = (start, end, text) => changes.push([start, end, text + '\n'.repeat(code.slice(start, end).split('\n').length - text.split('\n').length)]);
  const lets = new Set();
  const imports = [];
  const functions = [];
  const variables = (declaration, alone) => {
    for (const { id } of declaration.declarations) for (const name of namesOf(id)) lets.add(name);
    change(declaration.start, declaration.declarations[0].start, alone ? ';(' : '(');
    for (const { id, init, end } of declaration.declarations) if (!init && id.type === 'Identifier') change(end, end, '=undefined');
    const { end } = declaration.declarations.at(-1);
    change(end, end, ')');
  };
  const declare = (node, exportStart) => {
    switch (node.type) {
      case 'VariableDeclaration':
        if (exportStart !== undefined) change(exportStart, node.start, '');
        variables(node, true);
        return true;
      case 'ClassDeclaration':
        if (!node.id) return false;
        lets.add(node.id.name);
        change(exportStart ?? node.start, node.start, `;${node.id.name}=`);
        change(node.end, node.end, ';');
        return true;
      case 'FunctionDeclaration':
        if (!node.id) return false;
        functions.push(code.slice(node.start, node.end));
        change(exportStart ?? node.start, node.end, '');
        return true;
      default:
        return false;
    }
  };

  for (const node of tree.body) {
    switch (node.type) {
      case 'ImportDeclaration': {
        const names = [];
        let space;
        for (const { type, local, imported } of node.specifiers) {
          lets.add(local.name);
          if (type === 'ImportNamespaceSpecifier') space = local.name;
          else names.push(`${type === 'ImportDefaultSpecifier' ? 'default' : imported.name ?? imported.raw}:${local.name}`);
        }

        const attributes = node.attributes?.length ? `,{with:${code.slice(code.indexOf('{', node.source.end), node.end).replace(/;\s*$/, '')}}` : '';
        const load = `await import(${node.source.raw}${attributes})`;
        imports.push(space ? `${space}=${load};${names.length ? `({${names}}=${space});` : ''}` : names.length ? `({${names}}=${load});` : `${load};`);
        change(node.start, node.end, ';');
        break;
      }

      case 'ExportNamedDeclaration':
        if (node.declaration) declare(node.declaration, node.start);
        else change(node.start, node.end, node.source ? `;await import(${node.source.raw});` : ';');
        break;
      case 'ExportDefaultDeclaration':
        if (!declare(node.declaration, node.start)) change(node.start, node.declaration.start, ';');
        break;
      case 'ExportAllDeclaration':
        change(node.start, node.end, `;await import(${node.source.raw});`);
        break;
      default:
        declare(node);
    }
  }

  const last = tree.body.at(-1);
  if (wantsValue && last?.type === 'ExpressionStatement') {
    change(last.start, last.expression.start, `;return (${code.slice(last.start, last.expression.start)}`);
    change(last.expression.end, last.expression.end, ')');
  }

  for (const node of nodesOf(tree, true)) {
    if (node.type === 'MetaProperty' && node.meta.name === 'import') change(node.start, node.end, metaOf(filename));
  }

  // Functions are moved; changes inside of them stay behind.
  const moved = tree.body.map((node) => node.declaration ?? node).filter((node) => node.type === 'FunctionDeclaration' && node.id);
  const kept = changes.filter(([start, end]) => !moved.some((node) => start > node.start && end < node.end)).sort((a, b) => a[0] - b[0] || a[1] - b[1]);
  let text = '', at = 0;
  for (const [start, end, replacement] of kept) {
    text += code.slice(at, start) + replacement;
    at = Math.max(at, end);
  }

  const body = (text + code.slice(at)).replace(/^#!/, '//');
  if (again) makeVariables(lets);
  const head = lets.size ? `${again ? 'var' : 'let'} ${[...lets].join(',')};` : '';
  // Functions come behind, where lines no longer matter; declarations of a script are there from its start.
  return `${head}(async()=>{${imports.join('')}\n${body}\n})()\n${functions.join('\n')}`;
}

const metaOf = (filename) => {
  const file = path.resolve(filename);
  const { pathToFileURL } = require('node:url');
  return `({url:${JSON.stringify(pathToFileURL(file).href)},filename:${JSON.stringify(file)},dirname:${JSON.stringify(path.dirname(file))},`
    + `resolve:(name)=>process.getBuiltinModule('node:url').pathToFileURL(require.resolve(name)).href})`;
};

/** A script whose top-level const, let and class are var: a later request of the session may declare them again, as it does who tries things out. */
function relax(code) {
  if (!acorn || !/\b(const|let|class)\b/.test(code)) return code;
  let tree;
  try {
    tree = acorn.parse(code, { ecmaVersion: 'latest', sourceType: 'script', allowHashBang: true });
  } catch {
    return code; // It is for V8 to say what is wrong.
  }

  let text = '', at = 0;
  const names = [];
  for (const node of tree.body) {
    if (node.type === 'VariableDeclaration' && node.kind !== 'var') {
      text += code.slice(at, node.start) + 'var'.padEnd(node.kind.length);
      at = node.start + node.kind.length;
      for (const { id } of node.declarations) names.push(...namesOf(id));
    } else if (node.type === 'ClassDeclaration') {
      text += `${code.slice(at, node.start)}var ${node.id.name}=${code.slice(node.start, node.end)};`;
      at = node.end;
      names.push(node.id.name);
    }
  }

  makeVariables(names);
  return text + code.slice(at);
}

/** Of the names of a script those are made variables that are something of Node's that cannot be written. */
function makeVariables(names) {
  for (const name of names) {
    const known = Object.getOwnPropertyDescriptor(globalThis, name);
    if (known?.configurable && !known.writable && known.set === undefined) define(name, undefined);
  }
}

/** Runs code as a script. Gives its value, or the promise of it when it waits at its top level. */
function execute(code, filename, wantsValue, again = false) {
  let script;
  try {
    script = compile(again ? relax(code) : code, filename);
  } catch (error) {
    const other = error instanceof SyntaxError && acorn && /\b(await|import|export)\b/.test(code) ? rewrite(code, filename, wantsValue, again) : null;
    if (other === null) throw error;
    return { promise: compile(other, filename, -1).runInThisContext() };
  }

  return { value: script.runInThisContext() };
}

module.exports = { compile, define, execute, hasParser: acorn !== undefined, rewrite };
