// Which room may import which (src/README.md draws it). Arrows point down only; no cycles, types included.
const order = {
  base: [],
  stage: ['base'],
  digest: ['base', 'stage'],
  journal: ['base'],
  config: ['base'],
  target: ['base', 'config'],
  account: ['base', 'config', 'target'],
  source: ['base', 'stage', 'config'],
  pipeline: ['base', 'stage', 'digest', 'journal', 'config', 'target', 'source'],
  restore: ['base', 'config', 'journal', 'target', 'pipeline'],
  control: ['base', 'config', 'journal', 'pipeline', 'restore'],
  page: ['base', 'config', 'control'],
  notice: ['base', 'config', 'control'],
  daemon: [
    ...['base', 'stage', 'digest', 'journal', 'config', 'target', 'account', 'source', 'pipeline'],
    ...['restore', 'control', 'page', 'notice'],
  ],
  cli: ['base', 'config', 'journal', 'restore', 'control', 'daemon'],
}

const rooms = Object.entries(order).map(([room, below]) => ({
  name: `${room}-points-down`,
  comment: `src/${room} may import only: ${below.join(', ') || 'nothing of ours'}`,
  severity: 'error',
  from: { path: `^src/${room}/` },
  to: { path: '^src/', pathNot: [room, ...below].map((name) => `^src/${name}/`) },
}))

// A room's door carries the room's name; everything else in it is its own. base has no door: it is a shelf of small tools.
const doors = Object.keys(order)
  .filter((room) => !['base', 'cli', 'daemon'].includes(room))
  .map((room) => ({
    name: `${room}-has-one-door`,
    comment: `from outside, import src/${room}/${room}.ts`,
    severity: 'error',
    from: { path: '^src/', pathNot: `^src/${room}/` },
    to: {
      path: `^src/${room}/`,
      pathNot: [
        `^src/${room}/${room}\\.ts$`,
        '^src/target/(account-paces|catalogue|pace|transport/transport)\\.ts$',
        '^src/control/client\\.ts$',
        // Shapes alone, for what runs in a browser.
        ...(room === 'control' ? ['^src/control/answers\\.ts$'] : []),
      ],
    },
  }))

module.exports = {
  forbidden: [
    { name: 'no-cycles', severity: 'error', from: {}, to: { circular: true } },
    {
      name: 'main-starts-the-cli-only',
      severity: 'error',
      from: { path: '^src/main\\.ts$' },
      to: { path: '^src/', pathNot: '^src/cli/' },
    },
    {
      name: 'targets-know-not-each-other',
      severity: 'error',
      from: { path: '^src/target/([^/]+)/' },
      to: { path: '^src/target/([^/]+)/', pathNot: ['^src/target/$1/', '^src/target/transport/transport\\.ts$'] },
    },
    ...rooms,
    ...doors,
  ],
  options: {
    tsConfig: { fileName: 'tsconfig.json' },
    tsPreCompilationDeps: true,
    doNotFollow: { path: 'node_modules' },
    enhancedResolveOptions: {
      extensions: ['.ts', '.js'],
      conditionNames: ['import', 'node', 'default', 'types'],
      exportsFields: ['exports'],
    },
  },
}
