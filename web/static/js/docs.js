// The API page, drawn from /api/openapi.json by itself: what the server says is what is shown.

import { el, say } from "./dom.js";

const VERBS = ["get", "post", "put", "patch", "delete"];
const DEEPEST = 4;
const $ = (id) => document.getElementById(id);

const anchor = (verb, path) => `${verb}-${path.replace(/[^a-z0-9]+/gi, "-").replace(/^-|-$/g, "")}`;
const named = (ref) => ref.slice(ref.lastIndexOf("/") + 1);

/** A schema in a few words: its type, its bounds, a link to the shape it names. */
function type(schema) {
  if (schema === undefined || Object.keys(schema).length === 0) return ["anything"];
  if (schema.$ref) return [el("a", { href: `#shape-${named(schema.$ref)}` }, named(schema.$ref))];
  const any = schema.anyOf ?? schema.oneOf;
  if (any) return any.flatMap((one, k) => (k ? [" or ", ...type(one)] : type(one)));
  if (schema.enum) return [schema.enum.map((one) => JSON.stringify(one)).join(" or ")];
  if (schema.const !== undefined) return [JSON.stringify(schema.const)];
  if (schema.type === "array") return ["list of ", ...type(schema.items)];
  if (schema.type === "object" && schema.additionalProperties) return ["map of ", ...type(schema.additionalProperties)];
  const bounds = [
    ["≥", schema.minimum], [">", schema.exclusiveMinimum], ["≤", schema.maximum], ["<", schema.exclusiveMaximum],
    ["length ≥", schema.minLength], ["length ≤", schema.maxLength],
  ].filter(([, bound]) => bound !== undefined).map(([sign, bound]) => `${sign} ${bound}`).join(", ");
  return [[schema.format ?? [schema.type].flat().join(" or "), bounds].filter(Boolean).join(", ")];
}

function row(name, schema, required, description) {
  const words = [description ?? schema?.description, schema?.default === undefined ? null : `Default ${JSON.stringify(schema.default)}.`];
  return el("tr", {}, el("td", {}, name, required ? "" : " (optional)"), el("td", {}, ...type(schema)), el("td", {}, words.filter(Boolean).join(" ")));
}

const fields = ({ properties = {}, required = [] }) => el("table", {}, el("tbody", {},
  ...Object.entries(properties).map(([name, schema]) => row(name, schema, required.includes(name)))));

/** An example made of the schema, for a request that can be copied. */
function example(schema, shapes, depth = 0) {
  if (schema === undefined || depth > DEEPEST) return null;
  if (schema.$ref) return example(shapes[named(schema.$ref)], shapes, depth);
  if (schema.examples?.length) return schema.examples[0];
  if (schema.example !== undefined) return schema.example;
  if (schema.default !== undefined) return schema.default;
  if (schema.enum) return schema.enum[0];
  const any = schema.anyOf ?? schema.oneOf;
  if (any) return example(any[0], shapes, depth);
  if (schema.type === "array") return [example(schema.items, shapes, depth + 1)];
  if (schema.type === "object") {
    const required = schema.required ?? Object.keys(schema.properties ?? {});
    return Object.fromEntries(required.map((name) => [name, example(schema.properties?.[name], shapes, depth + 1)]));
  }
  return { integer: 1, number: 0.5, boolean: true, string: "text" }[schema.type] ?? null;
}

function body(content, shapes) {
  return Object.entries(content ?? {}).flatMap(([media, { schema, example: given, examples }]) => {
    const made = given ?? Object.values(examples ?? {})[0]?.value ?? (media.includes("json") ? example(schema, shapes) : null);
    return [
      el("table", {}, el("tbody", {}, el("tr", {}, el("td", {}, media), el("td", {}, ...type(schema)), el("td")))),
      made === null ? "" : el("pre", { tabindex: "0" }, el("code", {}, typeof made === "string" ? made : JSON.stringify(made, null, 2))),
    ];
  });
}

function operation(verb, path, one, { schemas: shapes = {}, responses: named_answers = {} }) {
  const parts = [
    el("h3", {}, el("span.verb", { "data-verb": verb }, verb.toUpperCase()), el("code", {}, path)),
    one.summary ? el("p.lead", {}, one.summary) : null,
    one.description ? el("p", {}, one.description) : null,
  ];
  if (one.parameters?.length) {
    parts.push(el("h4", {}, "Parameters"), el("table", {}, el("tbody", {},
      ...one.parameters.map(({ name, in: where, required, schema, description }) => row(where === "query" ? name : `${name} (${where})`, schema, required, description)))));
  }
  if (one.requestBody) parts.push(el("h4", {}, "Body"), ...body(one.requestBody.content, shapes));
  parts.push(el("h4", {}, "Answers"), el("table", {}, el("tbody", {}, ...Object.entries(one.responses ?? {}).map(([status, given]) => {
    const answer = given.$ref ? named_answers[named(given.$ref)] ?? {} : given;
    const [media, content] = Object.entries(answer.content ?? {})[0] ?? ["", {}];
    const data = content.schema?.properties?.data ?? content.schema;
    return el("tr", {}, el("td", {}, status), el("td", {}, ...(data ? type(data) : [media || "nothing"])), el("td", {}, answer.description ?? ""));
  }))));
  return el("article.card.operation", { id: anchor(verb, path) }, ...parts);
}

async function draw() {
  const answer = await fetch("/api/openapi.json");
  if (!answer.ok) throw new Error(`The server answered ${answer.status}.`);
  const spec = await answer.json();
  const shapes = spec.components?.schemas ?? {};
  say($("title"), `${spec.info.title} API`);
  say($("version"), `version ${spec.info.version} · OpenAPI ${spec.openapi}`);
  say($("intro"), spec.info.description ?? "");
  const groups = new Map();
  for (const [path, item] of Object.entries(spec.paths)) {
    for (const verb of VERBS.filter((each) => each in item)) {
      const tag = item[verb].tags?.[0] ?? "";
      groups.set(tag, [...(groups.get(tag) ?? []), [verb, path, item[verb]]]);
    }
  }
  for (const [tag, all] of groups) {
    if (tag) $("toc").append(el("li", {}, el("h2", {}, tag)));
    for (const [verb, path, one] of all) {
      $("operations").append(operation(verb, path, one, spec.components ?? {}));
      $("toc").append(el("li", {}, el("a", { href: `#${anchor(verb, path)}`, title: path }, el("b.verb", { "data-verb": verb }, verb.toUpperCase()), el("span", {}, path.replace("/api/realtime", "…")))));
    }
  }
  $("shapes-title").hidden = Object.keys(shapes).length === 0;
  $("shapes").append(...Object.entries(shapes).map(([name, schema]) => el("article.card.operation", { id: `shape-${name}` },
    el("h3", {}, name), schema.description ? el("p", {}, schema.description) : null, schema.properties ? fields(schema) : el("p", {}, ...type(schema)))));
  // The anchors exist only now; the browser has already looked for the one in the address.
  if (location.hash) document.getElementById(location.hash.slice(1))?.scrollIntoView();
}

draw().catch((failure) => {
  say($("intro"), `The document could not be read: ${failure.message}`);
});
