// ODK Web Forms' engine, asked over lines of JSON: a form and a record in, what the engine makes of every node out.
//
// {"form": xml, "attachments": {name: text}, "record": xml, "expressions": [[reference, xpath], ...]}
//   -> {"nodes": [...], "values": [...]} or {"error": text}

import { createRequire } from 'node:module';
import { createInterface } from 'node:readline';
import { JSDOM } from 'jsdom';
import { lend, standStill } from './browser.mjs';

const RECORD = 'xml_submission_file';

standStill(process.env.NOW);
const { window } = new JSDOM('<!doctype html>');
lend(window, ['document', 'DOMParser', 'XMLSerializer', 'Node', 'Element', 'XMLDocument', 'Document', 'Attr']);
// The engine's parser looks for two names that only CommonJS has.
globalThis.__dirname = '/';
globalThis.require = createRequire(import.meta.url);
const engine = await import('@getodk/xforms-engine');
let known = { xml: '', form: null };

for await (const line of createInterface({ input: process.stdin })) {
  let answer;
  try {
    answer = await judge(JSON.parse(line));
  } catch (error) {
    answer = { error: `${error.message}${error.cause ? `: ${error.cause.message}` : ''}` };
  }
  process.stdout.write(`${JSON.stringify(answer)}\n`);
}

async function judge({ form: xml, attachments, record, expressions = [] }) {
  if (known.xml !== xml) {
    known = { xml, form: await load(xml, attachments) };
  }
  const data = new FormData();
  data.set(RECORD, new File([record], RECORD, { type: 'text/xml' }));
  const { root } = await known.form.restoreInstance({ data: [data] });
  return { nodes: [...nodesBelow(root)], values: expressions.map((asked) => evaluated(root, asked)) };
}

async function load(xml, attachments) {
  const form = await engine.loadForm(xml, {
    missingResourceBehavior: 'BLANK',
    fetchFormAttachment: async (url) => {
      const name = decodeURIComponent(String(url).split('/').pop());
      const type = name.endsWith('.csv') ? 'text/csv' : name.endsWith('.geojson') ? 'application/geo+json' : 'text/xml';
      return name in attachments
        ? new Response(attachments[name], { headers: { 'content-type': type } })
        : new Response('', { status: 404 });
    },
  });
  if (form.status !== 'success') {
    throw form.error;
  }
  return form;
}

function* nodesBelow(parent) {
  for (const node of parent.currentState.children) {
    const state = node.currentState;
    if (state.children === null) {
      yield described(node, state);
    } else {
      if (node.nodeType === 'repeat-range:controlled' || node.nodeType === 'repeat-range:uncontrolled') {
        yield { path: state.reference, kind: 'repeat', count: state.children.length, relevant: state.relevant };
      }
      yield* nodesBelow(node);
    }
  }
}

function described(node, state) {
  const { constraint, required } = node.validationState;
  return {
    path: state.reference,
    kind: node.nodeType,
    value: state.instanceValue,
    relevant: state.relevant,
    required: state.required,
    isMissing: !required.valid,
    isAllowed: constraint.valid,
    options: state.valueOptions?.map?.((option) => option.value) ?? null,
  };
}

function evaluated(root, [reference, xpath]) {
  try {
    const context = reference ? found(root, reference) : root;
    return { value: context.evaluator.evaluateString(xpath, { contextNode: context.contextNode }) };
  } catch (error) {
    return { error: error.message };
  }
}

function found(parent, reference) {
  for (const node of parent.currentState.children ?? []) {
    if (node.currentState.reference === reference) {
      return node;
    }
    const inner = found(node, reference);
    if (inner) {
      return inner;
    }
  }
  return null;
}
