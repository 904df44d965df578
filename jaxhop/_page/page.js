"use strict";
// Asks once a second how the searches stand. All text goes in as text, never as markup.

const SECOND = 1000, WIDTH = 560, HEIGHT = 220, LEFT = 72, BOTTOM = 24, TOP = 10, RIGHT = 10;
const drawn = new Map(); // name of a search: what was drawn of it, and its element

function make(tag, text, kind) {
  const element = document.createElement(tag);
  if (text !== undefined) element.textContent = text;
  if (kind) element.className = kind;
  return element;
}

function vector(tag, settings, text) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(settings)) element.setAttribute(name, value);
  if (text !== undefined) element.textContent = text;
  return element;
}

function table(rows, heading, kind) {
  const found = make("table", undefined, kind);
  if (heading) found.append(row(heading, "th"));
  for (const cells of rows) found.append(row(cells, heading ? "td" : undefined));
  return found;
}

function row(cells, tag) {
  const found = make("tr");
  cells.forEach((cell, at) => found.append(make(tag || (at ? "td" : "th"), cell)));
  return found;
}

function short(value) {
  const size = Math.abs(value), plain = value === 0 || (size >= 1e-3 && size < 1e6);
  return plain ? Number(value.toPrecision(3)) : value.toExponential(2);
}

function curve(view) {
  const picture = vector("svg", {
    viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img",
    "aria-label": `best value so far over ${view.curve.at(-1)[0]} evaluations`,
  });
  const values = view.curve.map((point) => view.log ? Math.log10(point[1]) : point[1]);
  const low = Math.min(...values), high = Math.max(...values), last = view.curve.at(-1)[0];
  const x = (number) => LEFT + (WIDTH - LEFT - RIGHT) * (number - 1) / Math.max(1, last - 1);
  const share = (value) => high > low ? (value - low) / (high - low) : 0.5;
  const y = (value) => TOP + (HEIGHT - TOP - BOTTOM) * (1 - share(value));
  for (const value of high > low ? [low, (low + high) / 2, high] : [low]) {
    picture.append(
      vector("line", { x1: LEFT, x2: WIDTH - RIGHT, y1: y(value), y2: y(value) }),
      vector("text", { x: LEFT - 6, y: y(value) + 4, "text-anchor": "end" },
        short(view.log ? 10 ** value : value)),
    );
  }
  const steps = view.curve.map(([number], at) =>
    at ? `H${x(number)}V${y(values[at])}` : `M${x(number)} ${y(values[at])}`);
  const scale = view.log ? ", logarithmic" : "";
  picture.append(
    vector("path", { d: steps.join("") }),
    vector("text", { x: LEFT, y: HEIGHT - 6 }, `best value so far${scale}`),
    vector("text", { x: WIDTH - RIGHT, y: HEIGHT - 6, "text-anchor": "end" },
      `${last.toLocaleString("en")} evaluations`),
  );
  return picture;
}

function list(title, content) {
  const found = make("div"), box = make("div", undefined, "long");
  box.append(content);
  found.append(make("h3", title), box);
  return found;
}

function search(view) {
  const found = make("article", undefined, view.state), columns = make("div", undefined, "columns");
  const heading = make("h2", view.name);
  heading.append(make("span", view.state, `state ${view.state}`));
  const facts = table([
    ["best value", view.best ? `${view.best} (${view.direction})` : "none yet"], ...view.facts,
  ]);
  facts.rows[0].className = "best";
  columns.append(facts);
  columns.append(view.curve.length > 1 ? curve(view) : make("p", "no curve yet"));
  if (view.params.length) {
    const more = view.hidden ? [["…", `and ${view.hidden.toLocaleString("en")} more`]] : [];
    columns.append(list("best parameters", table([...view.params, ...more])));
  }
  if (view.improvements.length) {
    const heads = ["improved at", "after", "to"];
    columns.append(list("last improvements", table(view.improvements, heads, "right")));
  }
  found.append(heading, columns, ...view.notes.map((note) => make("p", note, "note")));
  return found;
}

function draw(views) {
  const place = document.getElementById("searches");
  for (const view of views) {
    const text = JSON.stringify(view), before = drawn.get(view.name);
    if (before && before.text === text) continue; // what somebody may be reading stays
    const element = search(view);
    if (before) before.element.replaceWith(element);
    else place.append(element);
    drawn.set(view.name, { text, element });
  }
}

async function follow() {
  const told = document.getElementById("told");
  try {
    const answer = await fetch("/state", { cache: "no-store" });
    if (!answer.ok) throw new Error(`the server says ${answer.status}`);
    const views = await answer.json();
    draw(views);
    const running = views.filter((view) => view.state === "running").length;
    told.className = "";
    told.textContent = views.length
      ? `${running} of ${views.length} running, ${new Date().toLocaleTimeString()}`
      : "no search is here yet";
  } catch (error) {
    told.className = "lost";
    told.textContent = `the server does not answer (${error.message}); what is below is old`;
  }
  setTimeout(follow, SECOND);
}

follow();
