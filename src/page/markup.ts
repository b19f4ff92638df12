/** The page's markup: landmarks, headings and empty lists; everything that moves is put there by its modules. */
export const markup = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>Fanfold</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<link rel="icon" type="image/svg+xml" href="/icon.svg">
<link rel="stylesheet" href="/page.css">
<script type="module" src="/modules/page/browser/main.js"></script>
</head>
<body>
<a class="skip" href="#lanes-section">Skip to the lanes</a>
<header>
<img src="/icon.svg" alt="" width="28" height="28">
<p class="name">Fanfold</p>
<p id="reach" role="status">Connecting…</p>
</header>
<main>
<section id="verdict" aria-labelledby="verdict-words">
<h1 id="verdict-words" aria-live="polite">Looking…</h1>
<p id="verdict-facts"></p>
<ul id="causes"></ul>
</section>
<section id="lanes-section" aria-labelledby="lanes-title" tabindex="-1">
<h2 id="lanes-title">Targets</h2>
<ul id="lanes" class="cards"></ul>
</section>
<section aria-labelledby="sources-title">
<h2 id="sources-title">Sources</h2>
<ul id="sources" class="cards"></ul>
</section>
<section id="accounts-section" aria-labelledby="accounts-title" hidden>
<h2 id="accounts-title">Logins</h2>
<ul id="accounts" class="cards"></ul>
</section>
<section aria-labelledby="search-title">
<h2 id="search-title">Where is a file?</h2>
<form id="search" role="search">
<label for="search-path">Path, whole or below a source</label>
<input id="search-path" type="text" autocomplete="off" spellcheck="false" placeholder="letters/2026/letter.pdf">
<button type="submit" class="act strong">Look</button>
</form>
<div id="search-answer" aria-live="polite"></div>
</section>
<section aria-labelledby="history-title">
<h2 id="history-title">What happened last</h2>
<ol id="history"></ol>
</section>
</main>
<footer>
<p id="read-only">You may look. To act as well, open the address that <code>fanfold page</code> prints.</p>
</footer>
<p id="remark" role="status"></p>
<noscript><p class="card">This page needs JavaScript; <code>fanfold status</code> says the same without it.</p></noscript>
</body>
</html>
`
