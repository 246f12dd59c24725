// Enketo's XPath evaluator, asked over lines of JSON: a record and expressions in, their values out.
//
// {"record": xml, "expressions": [[reference, xpath], ...]} -> {"values": [...]} or {"error": text}

import { createRequire } from 'node:module';
import { createInterface } from 'node:readline';
import { JSDOM } from 'jsdom';
import { lend, standStill } from './browser.mjs';

standStill(process.env.NOW);
const { window } = new JSDOM('<!doctype html>');
lend(window, ['document', 'DOMParser', 'Node', 'Element', 'Attr', 'XPathEvaluator', 'XPathResult', 'window']);
const evaluator = createRequire(import.meta.url)('openrosa-xpath-evaluator')();

for await (const line of createInterface({ input: process.stdin })) {
  const { record, expressions } = JSON.parse(line);
  const instance = new DOMParser().parseFromString(record, 'text/xml');
  const values = expressions.map(([reference, xpath]) => evaluated(instance, reference, xpath));
  process.stdout.write(`${JSON.stringify({ values })}\n`);
}

function evaluated(instance, reference, xpath) {
  try {
    const node = instance.evaluate(reference, instance, null, XPathResult.FIRST_ORDERED_NODE_TYPE, null).singleNodeValue;
    return { value: evaluator.evaluate(xpath, node, null, XPathResult.STRING_TYPE).stringValue };
  } catch (error) {
    return { error: String(error.message ?? error) };
  }
}
