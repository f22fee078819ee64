// Shows /openapi.json. Its styles carry the nonce of this answer, without which they would not count.
"use strict";
const system = "system-ui, sans-serif";
const monospace = "ui-monospace, monospace";
Redoc.init(
  "/openapi.json",
  {
    nonce: document.currentScript.nonce,
    theme: {
      typography: {
        fontFamily: system,
        headings: { fontFamily: system },
        code: { fontFamily: monospace },
      },
    },
  },
  document.getElementById("reference"),
);
