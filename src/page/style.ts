/** The page's style sheet: one accent, two colour schemes, from a phone to a wide screen. */

/** Pairs of text and ground keep a contrast of 4.5 or more in both schemes. */
const colours = `
:root {
  color-scheme: light dark;
  --ground: #f6f7f7; --card: #ffffff; --line: #dfe3e4; --text: #1b2224; --quiet: #566266;
  --accent: #0f766e; --accent-ground: #d7efec; --accent-text: #ffffff;
  --good: #166b3a; --good-ground: #e0f2e6; --warn: #8a5300; --warn-ground: #fbeed8; --bad: #b3261e; --bad-ground: #fce4e2;
}
@media (prefers-color-scheme: dark) {
  :root {
    --ground: #121617; --card: #1b2123; --line: #2f383b; --text: #e7ecec; --quiet: #9fabae;
    --accent: #3fc1b0; --accent-ground: #16433e; --accent-text: #062b27;
    --good: #7fd6a0; --good-ground: #173524; --warn: #f0bd6c; --warn-ground: #3a2c12; --bad: #ff9c93; --bad-ground: #442020;
  }
}`

const frame = `
* { box-sizing: border-box; margin: 0; }
[hidden] { display: none !important; }
html { font: 16px/1.5 system-ui, "Segoe UI", Roboto, "Helvetica Neue", "Noto Sans", "DejaVu Sans", sans-serif; }
body {
  max-width: 68rem; margin: 0 auto; padding: 1rem clamp(1rem, 4vw, 2.5rem) 5rem;
  background: var(--ground); color: var(--text); font-variant-numeric: tabular-nums; overflow-wrap: anywhere;
}
ul, ol { list-style: none; padding: 0; }
h1 { font-size: clamp(1.6rem, 4.5vw, 2.25rem); line-height: 1.2; font-weight: 650; letter-spacing: -0.015em; }
h2 { font-size: 0.8125rem; font-weight: 600; letter-spacing: 0.06em; text-transform: uppercase; color: var(--quiet); margin: 2.5rem 0 0.75rem; }
h3 { font-size: 1.0625rem; font-weight: 650; }
code { font: 0.92em ui-monospace, "DejaVu Sans Mono", monospace; }
:focus-visible { outline: 3px solid var(--accent); outline-offset: 2px; border-radius: 4px; }
.skip { position: absolute; left: -100rem; }
.skip:focus { left: 1rem; top: 0.5rem; background: var(--card); padding: 0.5rem 0.75rem; z-index: 2; }
header { display: flex; align-items: center; gap: 0.625rem; padding: 0.25rem 0 1.25rem; }
header .name { font-weight: 650; font-size: 1.125rem; letter-spacing: -0.01em; }
#reach { margin-left: auto; font-size: 0.875rem; color: var(--quiet); display: flex; align-items: center; gap: 0.5rem; text-align: right; }
#reach::before { content: ""; flex: none; width: 0.5625rem; height: 0.5625rem; border-radius: 50%; background: var(--quiet); }
.known #reach::before { background: var(--accent); }
.away #reach { color: var(--bad); font-weight: 600; }
.away #reach::before { background: var(--bad); }
.away main { opacity: 0.55; }
footer { margin-top: 2.5rem; color: var(--quiet); font-size: 0.875rem; }
.card { background: var(--card); border: 1px solid var(--line); border-radius: 0.75rem; padding: 1rem 1.25rem; }
.cards { display: grid; gap: 0.875rem; }
.cards:has(.source:nth-child(2)) { grid-template-columns: repeat(auto-fit, minmax(min(100%, 24rem), 1fr)); }
.heading { display: flex; flex-wrap: wrap; align-items: center; gap: 0.375rem 0.75rem; }
.kind, .facts, .words { color: var(--quiet); font-size: 0.875rem; }
.path { font-weight: 500; }
.row { display: flex; flex-wrap: wrap; align-items: center; gap: 0.625rem; margin-top: 0.75rem; }
.state {
  display: inline-flex; align-items: center; font-size: 0.8125rem; font-weight: 600; line-height: 1.25rem;
  padding: 0.0625rem 0.5625rem; border-radius: 1rem; color: var(--quiet); background: var(--ground);
}
.state[data-tone="good"] { color: var(--good); background: var(--good-ground); }
.state[data-tone="warn"] { color: var(--warn); background: var(--warn-ground); }
.state[data-tone="bad"] { color: var(--bad); background: var(--bad-ground); }
.reason { margin-top: 0.5rem; padding: 0.5rem 0.75rem; border-radius: 0.5rem; background: var(--warn-ground); color: var(--warn); font-size: 0.9375rem; }`

const verdict = `
#verdict { border-radius: 0.875rem; padding: clamp(1.25rem, 4vw, 2rem); background: var(--card); border: 1px solid var(--line); border-left: 0.5rem solid var(--line); }
#verdict[data-tone="good"] { border-left-color: var(--good); }
#verdict[data-tone="bad"] { border-left-color: var(--bad); }
#verdict[data-tone] h1::before {
  display: inline-grid; place-items: center; width: 1.5em; height: 1.5em; margin-right: 0.5em; border-radius: 50%; font-size: 0.75em;
  font-weight: 800; vertical-align: 0.1em;
}
#verdict[data-tone="good"] h1::before { content: "✓" / ""; color: var(--good); background: var(--good-ground); }
#verdict[data-tone="bad"] h1::before { content: "!" / ""; color: var(--bad); background: var(--bad-ground); }
#verdict-facts { margin-top: 0.375rem; color: var(--quiet); }
#causes { display: grid; gap: 0.625rem; }
#causes li { padding-top: 0.75rem; border-top: 1px solid var(--line); }
#causes li:first-child { margin-top: 1rem; }
#causes p { color: var(--quiet); font-size: 0.9375rem; }`

const lanes = `
.acts { display: flex; flex-wrap: wrap; gap: 0.375rem; margin-left: auto; }
.act {
  font: inherit; font-size: 0.875rem; font-weight: 550; color: var(--text); background: transparent; border: 1px solid var(--line);
  border-radius: 0.5rem; min-height: 2.25rem; padding: 0.25rem 0.875rem; cursor: pointer;
}
.act:hover { border-color: var(--accent); color: var(--accent); }
.act:disabled { opacity: 0.5; cursor: default; }
.act.strong { background: var(--accent); border-color: var(--accent); color: var(--accent-text); }
.act.strong:hover { filter: brightness(1.08); color: var(--accent-text); }
body:not(.can-act) .cards .act { display: none; }
.flow { display: grid; grid-template-columns: minmax(6.5rem, 1fr) 2.5rem minmax(12rem, 3fr) 2.5rem minmax(6.5rem, 1fr); margin-top: 0.875rem; align-items: start; }
.stop { display: flex; flex-direction: column; min-width: 0; }
.stop .label { font-size: 0.8125rem; color: var(--quiet); }
.stop .amount { font-size: 1.5rem; line-height: 1.3; font-weight: 600; letter-spacing: -0.01em; }
.stop.empty .amount { color: var(--quiet); font-weight: 500; }
.stop:last-child { text-align: right; }
.arrow { align-self: start; margin-top: 2.125rem; height: 2px; background: var(--line); position: relative; margin-inline: 0.25rem 0.75rem; }
.arrow::after { content: ""; position: absolute; right: 0; top: -3px; width: 8px; height: 8px; border: solid var(--line); border-width: 2px 2px 0 0; transform: rotate(45deg); }
.sending { display: grid; gap: 0.375rem; margin-top: 0.375rem; max-height: 12rem; overflow-y: auto; font-size: 0.875rem; }
.sending li { display: grid; grid-template-columns: minmax(0, 1fr) auto; gap: 0 0.75rem; }
.sending .path { white-space: nowrap; overflow: hidden; text-overflow: ellipsis; }
.sending .path span { color: var(--quiet); font-weight: 400; }
.bar, .track { display: block; background: var(--ground); border-radius: 1rem; overflow: hidden; }
.bar { grid-column: 1 / -1; height: 4px; }
.track { height: 6px; margin: 0.875rem 0 0.625rem; }
.bar span, .track span { display: block; width: 0; height: 100%; border-radius: inherit; background: var(--accent); transition: width 0.4s ease-out; }
.plot { margin-top: 0.75rem; }
.plot svg { display: block; width: 100%; height: 3.5rem; border-bottom: 1px solid var(--line); }
.plot .area { fill: var(--accent-ground); }
.plot .edge { fill: none; stroke: var(--accent); stroke-width: 1.5; }
.plot .lag { fill: none; stroke: var(--warn); stroke-width: 1.5; stroke-dasharray: 4 3; }
.plot figcaption { display: flex; flex-wrap: wrap; gap: 0 1.25rem; margin-top: 0.375rem; font-size: 0.8125rem; color: var(--quiet); }
.plot figcaption span:last-child { margin-left: auto; }
.rate-key::before, .lag-key::before { content: ""; display: inline-block; width: 0.875rem; margin-right: 0.375rem; vertical-align: middle; border-top: 2px solid var(--accent); }
.lag-key::before { border-top: 2px dashed var(--warn); }
.parked { margin-top: 0.75rem; border-top: 1px solid var(--line); padding-top: 0.625rem; }
.parked summary { cursor: pointer; font-weight: 600; color: var(--bad); padding: 0.25rem 0; }
.parked ul { display: grid; gap: 0.625rem; margin-top: 0.5rem; max-height: 20rem; overflow-y: auto; }
.parked li { padding-left: 0.75rem; border-left: 3px solid var(--bad-ground); font-size: 0.9375rem; }
.parked li .words { margin-left: 0.625rem; }`

const rest = `
#search { display: flex; flex-wrap: wrap; gap: 0.5rem; align-items: center; }
#search label { flex-basis: 100%; font-size: 0.875rem; color: var(--quiet); }
input[type="text"] {
  flex: 1 1 16rem; width: 100%; min-width: 0; font: inherit; color: inherit; background: var(--card); border: 1px solid var(--line);
  border-radius: 0.5rem; padding: 0.375rem 0.75rem; min-height: 2.5rem;
}
input::placeholder { color: var(--quiet); opacity: 1; }
#search .act { min-height: 2.5rem; }
#search-answer { display: grid; gap: 0.75rem; margin-top: 0.75rem; }
.verdicts { display: grid; gap: 0.5rem; margin-top: 0.625rem; }
.verdicts li { display: flex; flex-wrap: wrap; gap: 0.125rem 0.75rem; align-items: baseline; }
#history { background: var(--card); border: 1px solid var(--line); border-radius: 0.75rem; padding: 0.375rem 1.25rem; font-size: 0.875rem; }
#history:empty { display: none; }
#history li { display: grid; grid-template-columns: 6.5rem 8rem minmax(0, 1fr) minmax(0, 1fr); gap: 0 1rem; align-items: baseline; padding: 0.4375rem 0; }
#history li + li { border-top: 1px solid var(--line); }
#history .state { justify-self: start; }
#history .words, #history .path { overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
#history time { color: var(--quiet); }
#remark {
  position: fixed; left: 50%; bottom: 1.25rem; transform: translate(-50%, 1rem); max-width: min(40rem, calc(100vw - 2rem)); z-index: 3;
  padding: 0.75rem 1.125rem; border-radius: 0.625rem; background: var(--text); color: var(--ground); opacity: 0; pointer-events: none;
  transition: opacity 0.2s, transform 0.2s; box-shadow: 0 6px 24px rgb(0 0 0 / 0.25);
}
#remark.shown { opacity: 1; transform: translate(-50%, 0); }
dialog { margin: auto; max-width: min(34rem, calc(100vw - 2rem)); background: var(--card); color: var(--text); border: 1px solid var(--line); border-radius: 0.875rem; padding: 1.5rem; }
dialog::backdrop { background: rgb(0 0 0 / 0.45); }
dialog h2 { margin: 0 0 0.5rem; font-size: 1.125rem; letter-spacing: 0; text-transform: none; color: inherit; }
dialog ol { list-style: decimal; padding-left: 1.25rem; margin: 0.75rem 0; }
dialog label { display: block; font-size: 0.875rem; color: var(--quiet); margin-bottom: 0.25rem; }
a { color: var(--accent); }
@media (max-width: 44rem) {
  .flow { grid-template-columns: 1fr 1fr; gap: 0.75rem; }
  .flow .arrow { display: none; }
  .flow .stop:nth-child(3) { order: 3; grid-column: 1 / -1; }
  .acts { margin-left: 0; flex-basis: 100%; }
  .act { min-height: 2.75rem; }
  #history li { grid-template-columns: auto 1fr; }
  #history .path, #history .words { grid-column: 1 / -1; }
}
@media (prefers-reduced-motion: reduce) { * { transition: none !important; scroll-behavior: auto !important; } }
@media (forced-colors: active) { .bar span, .track span { background: Highlight; } .state { border: 1px solid; } }
`

export const style = [colours, frame, verdict, lanes, rest].join('\n').trimStart()
