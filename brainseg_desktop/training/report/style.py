"""How the pages look: light or dark as the reader's system has it."""

STYLE = """
:root {
  --ground: #ffffff; --panel: #f4f6f8; --ink: #1c2126; --soft: #5b6670; --rule: #d5dbe1;
  --bad: #b3261e; --bad-ground: #fdecea;
  --c0: #0a66c2; --c1: #d55e00; --c2: #00795c; --c3: #8e4585; --c4: #7a6a00; --c5: #4b5563;
}
@media (prefers-color-scheme: dark) {
  :root {
    --ground: #14171a; --panel: #1d2226; --ink: #e7eaed; --soft: #a3adb7; --rule: #363d44;
    --bad: #ff8a80; --bad-ground: #3a1d1b;
    --c0: #6cb2ff; --c1: #ff9e57; --c2: #3ccfa4; --c3: #e29bd8; --c4: #e6d44a; --c5: #b8c0c9;
  }
}
* { box-sizing: border-box; }
body {
  margin: 0; background: var(--ground); color: var(--ink);
  font: 15px/1.5 system-ui, "Segoe UI", "DejaVu Sans", sans-serif;
}
main { max-width: 1080px; margin: 0 auto; padding: 24px 20px 64px; }
h1 { font-size: 26px; line-height: 1.25; margin: 0 0 4px; }
h2 { font-size: 19px; margin: 36px 0 8px; }
h3 { font-size: 15px; margin: 20px 0 6px; }
p { margin: 6px 0 10px; }
a { color: var(--c0); }
.soft { color: var(--soft); }
.strong { font-weight: 600; }
.bad {
  background: var(--bad-ground); color: var(--bad); border-left: 4px solid var(--bad);
  padding: 8px 12px; margin: 8px 0;
}
.scroll { overflow-x: auto; }
table { border-collapse: collapse; margin: 6px 0 12px; font-size: 14px; }
th, td {
  padding: 4px 8px; border-bottom: 1px solid var(--rule); text-align: left; vertical-align: top;
  overflow-wrap: anywhere;
}
th:first-child, td:first-child { padding-left: 0; }
th { font-weight: 600; color: var(--soft); white-space: nowrap; }
td.n, th.n { text-align: right; white-space: nowrap; font-variant-numeric: tabular-nums; }
.charts { display: grid; grid-template-columns: repeat(auto-fit, minmax(340px, 1fr)); gap: 16px; }
.chart { width: 100%; background: var(--panel); border-radius: 6px; }
.chart text { fill: var(--ink); font-size: 12px; }
.chart .title { font-size: 14px; font-weight: 600; }
.chart .tick { fill: var(--soft); }
.chart .end { text-anchor: end; }
.chart .middle { text-anchor: middle; }
.chart .grid { stroke: var(--rule); }
.chart .guide { stroke: var(--soft); stroke-dasharray: 4 4; }
.chart .line { fill: none; stroke-width: 2; }
.line.c0 { stroke: var(--c0); } .dot.c0 { fill: var(--c0); }
.line.c1 { stroke: var(--c1); } .dot.c1 { fill: var(--c1); }
.line.c2 { stroke: var(--c2); } .dot.c2 { fill: var(--c2); }
.line.c3 { stroke: var(--c3); } .dot.c3 { fill: var(--c3); }
.line.c4 { stroke: var(--c4); } .dot.c4 { fill: var(--c4); }
.line.c5 { stroke: var(--c5); } .dot.c5 { fill: var(--c5); }
figure { margin: 12px 0 20px; }
figure img { max-width: 100%; border-radius: 4px; display: block; }
figcaption { color: var(--soft); font-size: 14px; margin-top: 4px; }
pre { background: var(--panel); padding: 12px; border-radius: 6px; overflow-x: auto; font-size: 13px; }
details { margin: 8px 0; }
summary { cursor: pointer; color: var(--soft); }
"""
