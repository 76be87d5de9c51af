// What the staff's pages need beyond forms and links: the token of forms for htmx, questions before what cannot be undone,
// keys, the choice of rows, the order of images, and a warning before unsaved changes are lost.
"use strict";

(() => {
  const all = (selector, within = document) => [...within.querySelectorAll(selector)];
  const isTyping = (element) => element.closest?.("input, textarea, select, [contenteditable]") !== null;

  // Requests of htmx prove that they come from this page.
  document.addEventListener("htmx:config:request", (event) => {
    const token = document.querySelector('meta[name="csrf"]')?.content;
    const request = event.detail?.ctx?.request;
    if (token && request) request.headers["X-CSRF-Token"] = token;
  });

  // A form with data-confirm asks first.
  const dialog = document.getElementById("confirm");
  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (!form.dataset.confirm || form.dataset.confirmed || !dialog?.showModal) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    const submitter = event.submitter;
    document.getElementById("confirm-title").textContent = form.dataset.confirm;
    document.getElementById("confirm-text").textContent = form.dataset.confirmText ?? "";
    document.getElementById("confirm-yes").textContent = form.dataset.confirmYes ?? "Continue";
    dialog.returnValue = "";
    dialog.onclose = () => {
      if (dialog.returnValue !== "yes") return submitter?.focus();
      form.dataset.confirmed = "yes";
      form.requestSubmit(submitter);
      delete form.dataset.confirmed;
    };
    dialog.showModal();
  }, true);

  // Keys: / searches, j and k or the arrows move in a list, Enter opens, Esc leaves a field or cancels a cell.
  const rows = () => all("table[data-list] tbody tr");
  const moveTo = (row) => {
    all("tr.active").forEach((active) => active.classList.remove("active"));
    row.classList.add("active");
    row.scrollIntoView({ block: "nearest" });
    (row.querySelector("[data-open], a[href], input") ?? row).focus();
  };
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || dialog?.open) return;
    if (event.key === "Escape") {
      const cancel = event.target.closest?.("form")?.querySelector("[data-cancel]");
      if (cancel) cancel.click();
      else if (isTyping(event.target)) event.target.blur();
      return;
    }
    if (isTyping(event.target) && event.target.type !== "checkbox") return;
    if (event.key === "/") {
      const search = document.querySelector("[data-search]");
      if (search) {
        event.preventDefault();
        search.focus();
        search.select();
      }
      return;
    }
    const step = { j: 1, ArrowDown: 1, k: -1, ArrowUp: -1 }[event.key];
    const list = rows();
    if (!step || list.length === 0) return;
    // The arrows scroll the page until a row is active.
    const active = list.findIndex((row) => row.classList.contains("active"));
    if (active < 0 && event.key.startsWith("Arrow")) return;
    event.preventDefault();
    moveTo(list[Math.min(Math.max(active + step, 0), list.length - 1)]);
  });

  // The choice of rows.
  const boxes = (form) => all(`input[name="ids"][form="${form.id}"]`);
  const count = (form) => {
    const chosen = boxes(form).filter((box) => box.checked).length;
    const text = form.querySelector("[data-count]");
    if (text) text.textContent = chosen === 0 ? "Choose rows to change them:" : `${chosen} chosen:`;
    all("button", form).forEach((button) => (button.disabled = chosen === 0));
    form.classList.toggle("idle", chosen === 0);
    const whole = document.querySelector("[data-all]");
    if (whole) {
      whole.checked = chosen > 0 && chosen === boxes(form).length;
      whole.indeterminate = chosen > 0 && !whole.checked;
    }
  };
  const startSelection = (form) => {
    document.addEventListener("change", (event) => {
      if (event.target.matches("[data-all]")) boxes(form).forEach((box) => (box.checked = event.target.checked));
      count(form);
    });
    // Enter in a field means the button beside it, not the first one of the form.
    form.addEventListener("keydown", (event) => {
      const button = event.key === "Enter" && event.target.closest(".group")?.querySelector("button");
      if (!button || event.target.closest("button")) return;
      event.preventDefault();
      if (!button.disabled) button.click();
    });
    // Names of rows that were not chosen need not be sent.
    form.addEventListener("formdata", (event) => {
      const chosen = new Set(event.formData.getAll("ids"));
      for (const name of [...event.formData.keys()]) {
        if (name.startsWith("name.") && !chosen.has(name.slice(5))) event.formData.delete(name);
      }
    });
    count(form);
  };

  // A list whose items can be dragged: the form in data-order sends the ids in their new order.
  const startOrder = (list) => {
    let dragged = null;
    const place = (item, target) => {
      const items = [...list.children];
      if (items.indexOf(item) < items.indexOf(target)) target.after(item);
      else target.before(item);
    };
    list.addEventListener("dragstart", (event) => {
      dragged = event.target.closest("li");
      dragged?.classList.add("dragged");
      event.dataTransfer.effectAllowed = "move";
    });
    list.addEventListener("dragover", (event) => {
      const target = event.target.closest("li");
      if (!dragged || !target || target === dragged) return;
      event.preventDefault();
      place(dragged, target);
    });
    list.addEventListener("drop", (event) => event.preventDefault());
    list.addEventListener("dragend", () => {
      dragged?.classList.remove("dragged");
      dragged = null;
      document.getElementById(list.dataset.order)?.requestSubmit();
    });
  };

  // A form with data-guard warns before its changes are lost.
  const startGuard = (form) => {
    const state = () => new URLSearchParams(new FormData(form)).toString();
    const saved = state();
    let sending = false;
    form.addEventListener("submit", () => (sending = true));
    window.addEventListener("beforeunload", (event) => {
      if (!sending && state() !== saved) event.preventDefault();
    });
  };

  // Another row of a table of names and values.
  const startPairs = (button) => {
    button.hidden = false;
    button.addEventListener("click", () => {
      const rows = button.parentElement.querySelectorAll(".pair");
      const row = rows[rows.length - 1].cloneNode(true);
      all("input, textarea", row).forEach((field) => {
        field.value = "";
        field.setAttribute("aria-label", field.getAttribute("aria-label").replace(/\d+$/, String(rows.length + 1)));
      });
      button.before(row);
      row.querySelector("input").focus();
    });
  };

  // Files that are dropped on an upload are sent at once.
  const startDrop = (form) => {
    const input = form.querySelector('input[type="file"]');
    all("[data-scripted]", form).forEach((text) => (text.hidden = false));
    const isFile = (event) => event.dataTransfer?.types.includes("Files");
    form.addEventListener("dragover", (event) => {
      if (!isFile(event)) return;
      event.preventDefault();
      form.classList.add("over");
    });
    form.addEventListener("dragleave", () => form.classList.remove("over"));
    form.addEventListener("drop", (event) => {
      form.classList.remove("over");
      if (!isFile(event)) return;
      event.preventDefault();
      input.files = event.dataTransfer.files;
      form.requestSubmit();
    });
  };

  const start = (root) => {
    all("[data-add-pair]", root).forEach(startPairs);
    all("[data-drop]", root).forEach(startDrop);
    all("[data-print]", root).forEach((button) => button.addEventListener("click", () => window.print()));
    all("[data-selection]", root).forEach(startSelection);
    all("[data-order]", root).forEach(startOrder);
    all("[data-guard]", root).forEach(startGuard);
  };
  const startParts = (root) => {
    const edited = root.querySelector?.("[data-edit]");
    if (edited) {
      edited.focus();
      edited.select();
    }
    // A saved cell keeps the focus, so that the next key moves on from it.
    const saved = root.querySelector?.("[data-saved]");
    if (saved) {
      saved.removeAttribute("data-saved");
      saved.focus();
    }
  };
  document.addEventListener("htmx:after:swap", () => startParts(document));
  start(document);
  startParts(document);
  document.querySelector("[data-focus]")?.focus();
  // On a phone the menu is closed at first; without scripts it is open.
  if (window.matchMedia("(max-width: 900px)").matches) document.querySelector(".menu")?.removeAttribute("open");
})();
