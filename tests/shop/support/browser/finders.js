// How a person finds things on a page: fields by label, buttons and links by name, cells by row and column.
// Each script of the tests begins with these functions. A finder returns an element, or says what there is instead.

const words = (text) => (text ?? "").replace(/\s+/g, " ").trim();
const same = (text, name) => words(text).toLowerCase() === words(name).toLowerCase();
const begins = (text, name) => words(text).toLowerCase().startsWith(words(name).toLowerCase());
const isShown = (element) => element.checkVisibility({ visibilityProperty: true });

const KINDS = {
  field: "input:not([type=hidden], [type=submit], [type=button], [type=reset]), select, textarea",
  button: "button, input[type=submit], input[type=button], [role=button], summary",
  link: "a[href]",
};

/** The text of a label without the controls inside it. */
const captionOf = (label) => {
  const copy = label.cloneNode(true);
  copy.querySelectorAll("input, select, textarea, button, output").forEach((control) => control.remove());
  return words(copy.textContent);
};

/** The name that a screen reader announces. */
const nameOf = (element) => {
  const labels = element.getAttribute("aria-labelledby");
  if (labels) return words(labels.split(/\s+/).map((id) => document.getElementById(id)?.textContent).join(" "));
  if (element.ariaLabel) return words(element.ariaLabel);
  if (element.labels?.length) return words([...element.labels].map(captionOf).join(" "));
  if (element.matches(KINDS.field)) return words(element.title);
  const images = [...element.querySelectorAll("img[alt], svg[aria-label]")].map((image) => image.alt ?? image.ariaLabel);
  return words([element.innerText || element.value, ...images].join(" ")) || words(element.title);
};

/** The only candidate with the text, or the only one that begins with it. */
const only = (what, name, candidates, textOf) => {
  const found = [same, begins].map((matches) => candidates.filter((one) => matches(textOf(one), name)));
  const [chosen] = found.filter((list) => list.length > 0);
  if (chosen?.length === 1) return { element: chosen[0] };
  const texts = [...new Set(candidates.map(textOf))].filter(Boolean).slice(0, 40).map((text) => `“${text}”`).join(", ");
  return { problem: chosen ? `${chosen.length} of ${what} “${name}”` : `no ${what} “${name}”; there are: ${texts}` };
};

const cellsOf = (row) => [...row.cells].map((cell) => cell.innerText);

const rowNamed = (root, name) => {
  const rows = [...root.querySelectorAll("tbody tr")].filter(isShown);
  const textOf = (row) => cellsOf(row).find((text) => same(text, name)) ?? cellsOf(row).find((text) => begins(text, name));
  const found = only("row", name, rows, textOf);
  if (found.problem && rows.length) found.problem += ` in rows of ${rows.slice(0, 20).map((row) => words(cellsOf(row).join(" | "))).join(" / ")}`;
  return found;
};

const HEADINGS = "h1, h2, h3, h4, legend, caption, summary";
const PARTS = "section, fieldset, article, details, form, table, dialog, aside, nav, main";

const partNamed = (root, name) => {
  const labelled = [...root.querySelectorAll("[aria-label]")].filter((part) => part.matches(PARTS));
  const headings = [...root.querySelectorAll(HEADINGS), ...labelled].filter(isShown);
  const found = only("part", name, headings, (heading) => heading.ariaLabel ?? heading.innerText);
  return found.element ? { element: found.element.closest(PARTS) } : found;
};

/** Where to look: the open dialog or the page, then each part and row in turn. */
const within = (scope) => {
  let found = { element: [...document.querySelectorAll("dialog:modal")].pop() ?? document.body };
  for (const { part, row } of scope) {
    found = part ? partNamed(found.element, part) : rowNamed(found.element, row);
    if (!found.element) return found;
  }
  return found;
};

const find = (scope, kind, name) => {
  const root = within(scope);
  if (!root.element) return root;
  return only(kind, name, [...root.element.querySelectorAll(KINDS[kind])].filter(isShown), nameOf);
};

const cell = (scope, rowName, column) => {
  const root = within(scope);
  if (!root.element) return root;
  const row = rowNamed(root.element, rowName);
  if (!row.element) return row;
  const headings = [...row.element.closest("table").querySelectorAll("thead tr:last-child > *")];
  const heading = only("column", column, headings, (one) => one.innerText);
  if (!heading.element) return heading;
  const element = row.element.cells[headings.indexOf(heading.element)];
  return { element, text: words(element.innerText) };
};

const text = (scope) => {
  const root = within(scope);
  return root.element ? { text: words(root.element.innerText) } : root;
};

/** The page is loaded, and htmx neither waits for an answer nor changes the page. */
const isSettled = () =>
  document.readyState === "complete" &&
  !document.querySelector(".htmx-request, .htmx-swapping, .htmx-settling, .htmx-added");
