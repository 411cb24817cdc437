// The page's one script: sends what was typed to POST invocations and draws what comes back.
// Addresses are relative, so that the page also works behind a proxy that puts a folder before them.
"use strict";

const HYPOTHESES = 4; // asked for; equal ones are shown once
const LONGEST_DRAWING = 150; // words on a side; beyond that nobody follows a line
const SVG = "http://www.w3.org/2000/svg";
const $ = (id) => document.getElementById(id);

let directions = []; // of the model, as page/model.json has them
let chosen = 0; // which of them the page is in
let direction = {}; // the parameter that asks for it; none where there is no choice
let confidence = {}; // what must be asked for so that the answer says how sure it is
let shown = null; // {text, source, target, links}: what stands in the drawing
let latest = 0; // number of the last request; an answer to an older one is dropped

// ---- talking to the endpoint ------------------------------------------------------------------------------

class Refused extends Error {
  constructor(message, status = 0) {
    super(message);
    this.status = status;
  }
}

// The answer's JSON; throws Refused with a sentence for whoever sits before the page.
async function fetchJson(address, options) {
  let response, body;
  try {
    response = await fetch(address, options);
    body = await response.json();
  } catch {
    if (!response) throw new Refused("The server does not answer: is it still running?");
    throw new Refused(`The server answered ${response.status} and no JSON: is this its own address?`, response.status);
  }
  if (!response.ok) throw new Refused(body.error.message, response.status);
  return body;
}

const requestOf = (text, parameters) => ({ instances: [text], parameters });

async function predict(text, parameters) {
  const body = JSON.stringify(requestOf(text, parameters));
  const answer = await fetchJson("invocations", { method: "POST", headers: { "Content-Type": "application/json" }, body });
  return answer.predictions[0];
}

// ---- one translation --------------------------------------------------------------------------------------

// `prefix` is what the translation must begin with, `expected` the whole of it where that is known.
async function translate(text, prefix, expected) {
  const number = ++latest;
  const parameters = { num_hypotheses: HYPOTHESES, return_alignment: true, return_scores: true, ...confidence, ...direction };
  if (prefix) parameters.prefix = prefix;
  busy(true);
  const started = performance.now();
  try {
    let prediction = await predict(text, parameters);
    if (number !== latest) return;
    if (expected && words(prediction.translation).join(" ") !== words(expected).join(" ")) {
      prediction = { translation: expected }; // a prefix opens the first sentence only: no alignment of this one
    }
    say("");
    show(text, prediction, parameters, performance.now() - started);
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    if (number === latest) say(error.message);
  } finally {
    if (number === latest) busy(false);
  }
}

function busy(yes) {
  $("form").querySelector(".main").setAttribute("aria-disabled", yes);
  $("answer").setAttribute("aria-busy", yes);
}

function say(problem) {
  $("problem").hidden = !problem;
  $("problem").textContent = problem;
}

function show(text, prediction, parameters, milliseconds) {
  $("answer").hidden = false;
  $("translation").textContent = prediction.translation;
  $("warning").hidden = !prediction.warning;
  $("warning").textContent = prediction.warning ?? "";
  $("confidence").hidden = typeof prediction.confidence !== "number";
  $("meter").value = prediction.confidence ?? 0;
  $("percent").textContent = percent(prediction.confidence ?? 0);
  $("time").textContent = `${Math.max(1, Math.round(milliseconds))} ms`;
  showHypotheses(prediction);
  showCode(text, prediction, parameters);
  draw(text, prediction);
}

const percent = (share) => `${Math.round(100 * share)} %`;

function showHypotheses(prediction) {
  const unlike = new Map((prediction.hypotheses ?? []).map((each) => [each.translation, each]));
  unlike.delete(prediction.translation);
  $("others").hidden = !unlike.size;
  $("hypotheses").replaceChildren(
    ...[...unlike.values()].map(({ translation, score, confidence: sure }) => {
      const item = element("li", {}, element("span", { lang: $("translation").lang, dir: "auto" }, translation));
      item.append(element("small", {}, typeof sure === "number" ? percent(sure) : score.toFixed(2)));
      return item;
    }),
  );
}

function showCode(text, prediction, parameters) {
  const body = JSON.stringify(requestOf(text, parameters)).replaceAll("'", "'\\''");
  const address = new URL("invocations", document.baseURI);
  $("request").textContent = `curl ${address} -H 'Content-Type: application/json' -d '${body}'`;
  $("response").textContent = JSON.stringify({ predictions: [prediction] }, null, 1);
}

// ---- the drawing ------------------------------------------------------------------------------------------

// Words as the server counts them: split at white space, invisible characters gone.
const words = (text) => text.replace(/(?![\u200c\u200d])\p{Cf}/gu, "").split(/\s+/).filter(Boolean);

function draw(text, prediction) {
  const source = words(text);
  const target = words(prediction.translation);
  const links = (prediction.alignment ?? []).filter(([i, j]) => i < source.length && j < target.length);
  shown = { text, source, target, links };
  $("words-here").hidden = true;
  $("drawing").hidden = !links.length || Math.max(source.length, target.length) > LONGEST_DRAWING;
  if ($("drawing").hidden) return;
  $("source-words").replaceChildren(...source.map((word, index) => wordButton(word, index, "source")));
  $("target-words").replaceChildren(...target.map((word, index) => wordButton(word, index, "target")));
  $("lines").replaceChildren(...links.map(() => document.createElementNS(SVG, "path")));
  arrange();
}

function wordButton(word, index, side) {
  const options = { type: "button", tabindex: index ? "-1" : "0", "aria-label": described(word, index, side) };
  if (side === "target") options["aria-expanded"] = "false";
  const button = element("button", options, word);
  const light = () => highlight(side, index);
  for (const event of ["pointerenter", "focus", "click"]) button.addEventListener(event, light);
  for (const event of ["pointerleave", "blur"]) button.addEventListener(event, () => highlight());
  if (side === "target") button.addEventListener("click", () => showAlternatives(index));
  return element("li", {}, button);
}

function described(word, index, side) {
  const own = side === "source" ? 0 : 1;
  const others = side === "source" ? shown.target : shown.source;
  const linked = shown.links.filter((link) => link[own] === index).map((link) => others[link[1 - own]]);
  return linked.length ? `${word}, linked to ${linked.join(", ")}` : `${word}, linked to no word`;
}

// Two rows where they fit, else two columns; then a curve for each link, from word to word.
function arrange() {
  if (!shown || $("drawing").hidden) return;
  const box = $("links");
  box.classList.remove("tall");
  const tall = [...box.querySelectorAll("ol")].some((list) => list.scrollWidth > list.clientWidth);
  box.classList.toggle("tall", tall);
  const origin = box.getBoundingClientRect();
  const place = (list, index) => $(list).children[index].firstChild.getBoundingClientRect();
  shown.links.forEach(([i, j], index) => {
    const [from, to] = [place("source-words", i), place("target-words", j)];
    $("lines").children[index].setAttribute("d", tall ? across(from, to, origin) : down(from, to, origin));
  });
}

function down(from, to, origin) {
  const [x1, y1] = [(from.left + from.right) / 2 - origin.left, from.bottom - origin.top];
  const [x2, y2] = [(to.left + to.right) / 2 - origin.left, to.top - origin.top];
  const middle = (y1 + y2) / 2;
  return `M${x1} ${y1}C${x1} ${middle} ${x2} ${middle} ${x2} ${y2}`;
}

function across(from, to, origin) {
  const [x1, y1] = [from.right - origin.left, (from.top + from.bottom) / 2 - origin.top];
  const [x2, y2] = [to.left - origin.left, (to.top + to.bottom) / 2 - origin.top];
  const middle = (x1 + x2) / 2;
  return `M${x1} ${y1}C${middle} ${y1} ${middle} ${y2} ${x2} ${y2}`;
}

// Light one word, its lines and their other ends; nothing without a side.
function highlight(side, index) {
  const own = side === "source" ? 0 : 1;
  const on = { source: new Set(), target: new Set() };
  if (side) on[side].add(index);
  shown.links.forEach((link, number) => {
    const lit = side !== undefined && link[own] === index;
    $("lines").children[number].classList.toggle("on", lit);
    if (lit) [on.source, on.target].forEach((set, end) => set.add(link[end]));
  });
  for (const each of ["source", "target"]) {
    [...$(`${each}-words`).children].forEach((item, place) => item.firstChild.classList.toggle("on", on[each].has(place)));
  }
}

// Each row of words is one stop of the Tab key; arrows move within it.
function walk(event) {
  const list = event.target.closest("ol");
  const steps = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1, Home: -Infinity, End: Infinity };
  if (!list || !(event.key in steps)) return;
  event.preventDefault();
  const buttons = [...list.querySelectorAll("button")];
  const wanted = buttons.indexOf(event.target) + steps[event.key];
  const next = buttons[Math.min(Math.max(wanted, 0), buttons.length - 1)];
  for (const button of buttons) button.tabIndex = button === next ? 0 : -1;
  next.focus();
}

// ---- other words at a place -------------------------------------------------------------------------------

async function showAlternatives(index) {
  const { text, target } = shown;
  const number = latest;
  let found;
  try {
    found = (await predict(text, { alternatives_at: index, ...direction })).alternatives;
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    say(error.message);
    return;
  }
  if (number !== latest) return;
  [...$("target-words").children].forEach((item, place) => item.firstChild.setAttribute("aria-expanded", place === index));
  $("words-here-name").textContent = found.length ? `In the place of “${target[index]}”` : `Nothing else fits in the place of “${target[index]}”`;
  $("alternatives").replaceChildren(
    ...found.map(({ word, translation, score }) => {
      const button = element("button", { type: "button", title: translation, lang: $("translation").lang }, `${word} `);
      button.append(element("small", {}, score.toFixed(2)));
      button.addEventListener("click", () => translate(text, [...target.slice(0, index), word].join(" "), translation));
      return element("li", {}, button);
    }),
  );
  $("words-here").hidden = false;
}

// ---- start ------------------------------------------------------------------------------------------------

function element(name, attributes, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

async function introduce() {
  directions = (await fetchJson("page/model.json")).directions;
  $("switch").hidden = directions.length < 2;
  choose(0);
}

// The page for one direction of the model: its languages, and what it asks the endpoint for.
function choose(index) {
  const model = directions[(chosen = index)];
  direction = directions.length > 1 ? { target_lang: model.target_lang } : {};
  const names = new Intl.DisplayNames("en", { type: "language" });
  const [source, target] = [names.of(model.source_lang), names.of(model.target_lang)];
  $("title").textContent = document.title = `${source} to ${target}`;
  $("source-name").textContent = source;
  $("target-name").textContent = target;
  $("text").lang = $("source-words").lang = model.source_lang;
  $("translation").lang = $("target-words").lang = $("alternatives").lang = model.target_lang;
  $("about").textContent = model.bleu === null ? "" : `${model.bleu.toFixed(1)} BLEU on sentences that training never saw`;
  $("examples").hidden = model.source_lang !== "en";
  confidence = model.confidence ? { return_confidence: true } : {};
  $("measure").textContent = model.confidence
    ? "With the confidence in each."
    : "With their scores: the mean log-probability of a token; 0 would be certain.";
}

// The other direction, and in it what was just translated: it becomes the text.
function turn() {
  choose(1 - chosen);
  latest++; // an answer under way is of the old direction
  busy(false);
  const text = $("answer").hidden ? "" : $("translation").textContent;
  $("answer").hidden = true;
  if (!text) return;
  $("text").value = text;
  translate(text);
}

function start() {
  const send = () => translate($("text").value);
  $("switch").addEventListener("click", turn);
  $("form").addEventListener("submit", (event) => {
    event.preventDefault();
    send();
  });
  $("text").addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
    event.preventDefault();
    $("form").requestSubmit();
  });
  $("examples").addEventListener("click", (event) => {
    if (event.target.tagName !== "BUTTON") return;
    $("text").value = event.target.textContent;
    send();
  });
  $("copy").addEventListener("click", async () => {
    await navigator.clipboard.writeText($("translation").textContent);
    $("copy").textContent = "Copied";
    setTimeout(() => ($("copy").textContent = "Copy"), 1500);
  });
  $("copy").hidden = !navigator.clipboard; // browsers give it to https and localhost only
  $("links").addEventListener("keydown", walk);
  new ResizeObserver(arrange).observe($("links"));
  introduce().catch((error) => say(error.message));
}

start();
