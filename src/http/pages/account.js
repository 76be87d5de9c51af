// The token of a mailed link is in the fragment (#), so that only request bodies send it to the shop.
"use strict";

const token = location.hash.slice(1);
const status = document.querySelector("[role=status]");

function problemText(problem) {
  const fields = (problem.errors || []).map((error) => `${error.field.replace("_", " ")} ${error.message}`);
  return fields.length ? fields.join("; ") : problem.detail;
}

for (const form of document.forms) {
  form.hidden = "with" in form.dataset && (form.dataset.with === "token") !== (token !== "");
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const body = Object.fromEntries(new FormData(form));
    if (form.dataset.with !== "none") {
      body.token = token;
    }
    status.textContent = "";
    try {
      const headers = { "Content-Type": "application/json" };
      const answer = await fetch(form.dataset.route, { method: "POST", headers, body: JSON.stringify(body) });
      status.textContent = answer.ok ? form.dataset.done : problemText(await answer.json());
      form.hidden = answer.ok;
    } catch {
      status.textContent = "The shop cannot be reached; please try again.";
    }
  });
}
