/** Every fault of a configuration: where it is reported, and in which words. */
import { mkdir, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { ConfigError, readConfig } from '../../src/config/config.ts'
import { tempFolder } from './temp-folder.ts'

/** Problems of this text as `line:column key: message`. */
async function faultsOf(text: string | Buffer, folder?: string): Promise<string[]> {
  const file = join(folder ?? (await tempFolder()), 'fanfold.yaml')
  await writeFile(file, text)
  try {
    readConfig(file)
    return []
  } catch (thrown) {
    if (!(thrown instanceof ConfigError)) throw thrown
    expect(thrown.message.split('\n')).toHaveLength(thrown.problems.length)
    return thrown.problems.map((problem) => {
      expect(problem.file).toBe(file)
      return `${problem.line}:${problem.column} ${problem.key === '' ? '' : `${problem.key}: `}${problem.message}`
    })
  }
}

/** A valid file, line by line, with some lines replaced. */
function valid(changes: Readonly<Record<number, string>> = {}): string {
  const lines = [
    'state: ./state', // 1
    'sources:', // 2
    '  - name: papers', // 3
    '    path: ./papers', // 4
    '    settle: 2s', // 5
    'targets:', // 6
    '  - name: nas', // 7
    '    kind: directory', // 8
    '    path: ./nas', // 9
    '    select: { sources: [papers] }', // 10
    '    at: "{source}/{path}"', // 11
    '    pace: { concurrency: 4 }', // 12
  ]
  return lines.map((line, at) => changes[at + 1] ?? line).join('\n')
}

test('the file that the other cases change has no fault', async () => {
  expect(await faultsOf(valid())).toEqual([])
})

describe('F97: each wrong value is reported at its place with what was expected and what came', () => {
  const cases: [title: string, line: number, text: string, fault: string][] = [
    ['unknown key', 1, 'stat: ./state', '1:1 stat: unknown key; did you mean "state"?'],
    ['swapped letters', 5, '    setlte: 2s', '5:5 sources[0].setlte: unknown key; did you mean "settle"?'],
    [
      'unknown key near none',
      5,
      '    colour: red',
      '5:5 sources[0].colour: unknown key; known here: name, path, ignore, built-in-ignore, one-file-system, settle, max-unsettled, unsettled, check-writers, rescan, watch',
    ],
    [
      'unknown key inside a flow map',
      12,
      '    pace: { concurrency: 4, bandwith: 1MiB/s }',
      '12:29 targets[0].pace.bandwith: unknown key; did you mean "bandwidth"?',
    ],
    [
      'bare number as duration',
      5,
      '    settle: 2',
      '5:13 sources[0].settle: expected a duration with a unit between 0s and 1h, such as 2s, got the bare number 2',
    ],
    [
      'quoted bare number',
      5,
      "    settle: '2'",
      '5:13 sources[0].settle: expected a duration with a unit between 0s and 1h, such as 2s, got "2"',
    ],
    [
      'unknown unit',
      5,
      '    rescan: 2 fortnights',
      '5:13 sources[0].rescan: expected a duration with a unit between 1s and 30d, such as 1h, got "2 fortnights"',
    ],
    [
      'duration out of bounds',
      5,
      '    settle: 2h',
      '5:13 sources[0].settle: expected a duration with a unit between 0s and 1h, such as 2s, got "2h"',
    ],
    [
      'bare number as size',
      10,
      '    select: { max-size: 5000 }',
      '10:25 targets[0].select.max-size: expected a size with a unit, such as 10MiB, got the bare number 5000',
    ],
    [
      'negative size',
      10,
      '    select: { min-size: -5MiB }',
      '10:25 targets[0].select.min-size: expected a size with a unit, such as 10MiB, got "-5MiB"',
    ],
    [
      'bandwidth without a time',
      12,
      '    pace: { bandwidth: 20MiB }',
      '12:24 targets[0].pace.bandwidth: expected a bandwidth with a unit, such as 20MiB/s or 8Mbit/s, got "20MiB"',
    ],
    [
      'rate without a time',
      12,
      '    pace: { uploads: 3 }',
      '12:22 targets[0].pace.uploads: expected a rate, such as 10/s or 600/min, got the bare number 3',
    ],
    [
      'day without a unit',
      12,
      '    pace: { daily: 700 }',
      '12:20 targets[0].pace.daily: expected a size of at least 64MiB, such as 700GiB, got the bare number 700',
    ],
    [
      'day that no piece fits into',
      12,
      '    pace: { daily: 1MiB }',
      '12:20 targets[0].pace.daily: expected a size of at least 64MiB, such as 700GiB, got "1MiB"',
    ],
    [
      'hours that are no times',
      12,
      '    pace: { hours: at night }',
      '12:20 targets[0].pace.hours: expected times of the local day in quotes, such as "22:00-06:00", got "at night"',
    ],
    [
      'hours that begin where they end',
      12,
      '    pace: { hours: "08:00-08:00" }',
      '12:20 targets[0].pace.hours: expected times of the local day in quotes, such as "22:00-06:00", got "08:00-08:00"',
    ],
    [
      'hours as a list',
      12,
      '    pace: { hours: ["22:00-06:00"] }',
      '12:20 targets[0].pace.hours: expected times of the local day in quotes, such as "22:00-06:00", got a list',
    ],
    [
      'concurrency as text',
      12,
      '    pace: { concurrency: many }',
      '12:26 targets[0].pace.concurrency: expected a whole number, got "many"',
    ],
    [
      'concurrency out of bounds',
      12,
      '    pace: { concurrency: 0 }',
      '12:26 targets[0].pace.concurrency: expected a whole number from 1 to 256, got the bare number 0',
    ],
    [
      'name with a capital',
      7,
      '  - name: NAS',
      '7:11 targets[0].name: expected a name of a-z, 0-9, "_" and "-", got "NAS"',
    ],
    [
      'number as name',
      7,
      '  - name: 2026',
      '7:11 targets[0].name: expected a name of a-z, 0-9, "_" and "-", got the bare number 2026',
    ],
    ['missing key', 9, '    on-remove: keep', '7:5 targets[0].path: is missing: expected a folder'],
    [
      'a proxy that is no URL',
      2,
      'http: { proxy: "proxy:secret@host" }\nsources:',
      '2:16 http.proxy: a proxy is written as a URL of host and port, such as "http://proxy.example:3128"; "http:" and "https:" are known',
    ],
    [
      'a proxy with a path',
      2,
      'http: { proxy: "http://me:secret@host:1/path" }\nsources:',
      '2:16 http.proxy: a proxy is written as a URL of host and port, such as "http://proxy.example:3128"; leave out what follows the port',
    ],
    [
      'a proxy that is a number',
      2,
      'http: { proxy: 3128 }\nsources:',
      '2:16 http.proxy: expected a URL, such as "http://proxy.example:3128", got the bare number 3128',
    ],
    [
      'a file of certificates in a home folder',
      2,
      'http: { ca-file: ~/ca.pem }\nsources:',
      '2:18 http.ca-file: "~" is not expanded here; write the whole path',
    ],
    [
      'a key of http that there is not',
      2,
      'http: { ca: x }\nsources:',
      '2:9 http.ca: unknown key; known here: proxy, ca-file',
    ],
    ['key without value', 9, '    path:', '9:10 targets[0].path: expected a folder, got nothing'],
    ['home folder', 9, '    path: ~/nas', '9:11 targets[0].path: "~" is not expanded here; write the whole path'],
    [
      'variable',
      9,
      '    path: $HOME/nas',
      '9:11 targets[0].path: variables are not expanded here; write the whole path',
    ],
    [
      'kind of a later version',
      8,
      '    kind: sftp',
      '8:11 targets[0].kind: expected one of the kinds available in this version (directory, box, dropbox, google-drive, onedrive), got "sftp"',
    ],
    [
      'unknown removal policy',
      11,
      '    on-remove: burn',
      '11:16 targets[0].on-remove: expected keep, trash or remove, got "burn"',
    ],
    [
      'unknown field',
      11,
      '    at: "{sorce}/{path}"',
      '11:9 targets[0].at: there is no field {sorce}; did you mean "source"?',
    ],
    ['open brace', 11, '    at: "{source}/{path"', '11:9 targets[0].at: a brace is open; fields are written {path}'],
    [
      'F60: template that leaves the target',
      11,
      '    at: "../{path}"',
      '11:9 targets[0].at: expected a path below the target: no leading or double "/", no "." and no "..", got "../{path}"',
    ],
    [
      'F60: absolute template',
      11,
      '    at: "/{path}"',
      '11:9 targets[0].at: expected a path below the target: no leading or double "/", no "." and no "..", got "/{path}"',
    ],
    [
      'template that puts all files in one place',
      11,
      '    at: "{source}/latest"',
      '11:9 targets[0].at: without {path} two files could go to the same place, one over the other; add it',
    ],
    [
      'unknown source in a selector',
      10,
      '    select: { sources: [paper] }',
      '10:25 targets[0].select.sources[0]: there is no source "paper"; did you mean "papers"?',
    ],
    [
      'empty list of sources',
      10,
      '    select: { sources: [] }',
      '10:24 targets[0].select.sources: expected at least one source; leave the key out for all, got a list',
    ],
    [
      'broken rule',
      10,
      '    select: { include: ["a/[b"] }',
      '10:25 targets[0].select.include[0]: this rule is broken: a "[" stays open; write "\\[" for the character itself',
    ],
    [
      'braces, which gitignore does not know',
      10,
      '    select: { include: ["*.{jpg,png}"] }',
      '10:25 targets[0].select.include[0]: gitignore rules know no {a,b}; write one rule for each',
    ],
    [
      'rule that cannot match',
      10,
      '    select: { exclude: ["./draft/**"] }',
      '10:25 targets[0].select.exclude[0]: this rule can never match: paths are counted from the source\'s root and have no "." or ".."',
    ],
    [
      'rule that ends in a backslash',
      5,
      "    ignore: ['a\\']",
      '5:14 sources[0].ignore[0]: this rule ends in a lone "\\", which no name matches',
    ],
    [
      'smallest above largest',
      10,
      '    select: { min-size: 2KiB, max-size: 1KiB }',
      '10:41 targets[0].select.max-size: expected at least min-size (2048 bytes); no file would be taken otherwise, got "1024 bytes"',
    ],
    [
      'remark as ignore rule',
      5,
      '    ignore: ["#draft"]',
      '5:14 sources[0].ignore[0]: gitignore reads this as a remark; write "\\#" for a name that begins with "#"',
    ],
    [
      'text in place of a list',
      5,
      '    ignore: "*.bak"',
      '5:13 sources[0].ignore: expected a list, such as ["a", "b"], got "*.bak"',
    ],
    [
      'YAML 1.2 reads yes as text',
      5,
      '    built-in-ignore: yes',
      '5:22 sources[0].built-in-ignore: expected true or false, got "yes"',
    ],
    ['list in place of a block', 12, '    pace: [4]', '12:11 targets[0].pace: expected a block of keys, got a list'],
  ]

  test.each(cases)('%s', async (_, line, text, fault) => {
    const faults = await faultsOf(valid({ [line]: text }))

    expect(faults).toEqual([fault])
  })
})

describe('F97: what is wrong with the text as YAML is said in words', () => {
  const cases: [title: string, text: string, fault: string][] = [
    [
      'duplicate key',
      valid({ 9: '    path: ./nas\n    path: ./b' }),
      '10:5 this key stands twice in one block; keep one of them',
    ],
    ['tab', 'sources:\n\t- name: a', '2:1 a tab indents this line; indent with spaces'],
    [
      'second document',
      `${valid()}\n---\nstate: ./b`,
      '13:1 a second document begins here ("---"); a configuration is one document',
    ],
    [
      'glob without quotes',
      valid({ 5: '    ignore: [*.bak]' }),
      '5:14 "*.bak" is an alias of nothing in YAML; a text that begins with "*" needs quotes',
    ],
    [
      'negated rule without quotes',
      valid({ 5: '    ignore: [!keep]' }),
      '5:14 Unresolved tag: !keep; a text that begins with "!" needs quotes, such as "!keep.txt"',
    ],
    [
      'template without quotes',
      valid({ 11: '    at: {source}/{path}' }),
      '11:17 Unexpected scalar at node end; a text that begins with "{" needs quotes, such as "{source}/{path}"',
    ],
    [
      'octal number',
      valid({ 12: '    pace: { concurrency: 010 }' }),
      '12:26 010 would be read as 10; leave the leading 0 out, or put a text in quotes',
    ],
    [
      'YAML 1.1',
      '%YAML 1.1\n---\nstate: ./a',
      '1:1 expected YAML 1.2, got a %YAML directive for another version; leave the directive out',
    ],
    [
      'tag',
      valid({ 9: '    path: !!binary aGk=' }),
      '9:20 the tag tag:yaml.org,2002:binary is not used here; write a plain value',
    ],
    [
      'block that contains itself',
      'state: &a [*a]',
      '1:1 the aliases of this file cannot be written out (Converting circular structure to JSON); repeat the text instead',
    ],
  ]

  test.each(cases)('%s', async (_, text, fault) => {
    expect(await faultsOf(text)).toEqual([fault])
  })

  test('a bomb of aliases is refused, fast', async () => {
    const bomb = ['a: &a [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]']
    const names = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h']
    for (const [at, above] of names.slice(0, -1).entries()) {
      const name = names[at + 1] ?? ''
      bomb.push(`${name}: &${name} [${Array(10).fill(`*${above}`).join(', ')}]`)
    }

    const faults = await faultsOf(bomb.join('\n'))

    expect(faults).toEqual([expect.stringContaining('1:1 the aliases of this file cannot be written out')])
  })

  test('an empty file lacks its lists', async () => {
    expect(await faultsOf('')).toEqual([
      '1:1 sources: is missing: expected a list of sources',
      '1:1 targets: is missing: expected a list of targets',
    ])
  })

  test('bytes that are no UTF-8 are refused', async () => {
    expect(await faultsOf(Buffer.from('state: "\xff"', 'latin1'))).toEqual([
      '1:1 expected UTF-8, got other bytes; save the file as UTF-8',
    ])
  })

  test('a key named __proto__ is a key like any other', async () => {
    expect(await faultsOf(`${valid()}\n__proto__: { x: 1 }`)).toEqual([
      '13:1 __proto__: unknown key; known here: state, state-on-network, node, http, status, notify, sources, targets, accounts',
    ])
  })
})

describe('each kind of target has keys of its own', () => {
  const cases: [title: string, target: string, faults: string[]][] = [
    ['a directory without a folder', 'kind: directory', ['7:5 targets[0].path: is missing: expected a folder']],
    [
      'a directory with an account',
      'kind: directory\n    path: ./nas\n    account: main',
      ['10:14 targets[0].account: a target of kind directory has no "account"; leave it out'],
    ],
    [
      'a cloud without an account',
      'kind: dropbox',
      ['7:5 targets[0].account: is missing: expected the name of an account of the list "accounts"'],
    ],
    [
      'a cloud with a path',
      'kind: dropbox\n    account: main\n    path: ./x',
      ['10:11 targets[0].path: a target of kind dropbox has no "path"; leave it out'],
    ],
    [
      'an account that nobody has',
      'kind: dropbox\n    account: mian',
      ['9:14 targets[0].account: there is no account "mian"; did you mean "main"?'],
    ],
    [
      'an account of another cloud',
      'kind: dropbox\n    account: other',
      ['9:14 targets[0].account: the account "other" is of kind box; name one of kind dropbox'],
    ],
    [
      'a folder that leaves its root',
      'kind: dropbox\n    account: main\n    folder: a/../b',
      ['10:13 targets[0].folder: expected names with "/" between them, without "\\", "." and "..", got "a/../b"'],
    ],
    [
      'an endpoint that is none',
      'kind: dropbox\n    account: main\n    endpoint: ftp://x',
      [
        '10:15 targets[0].endpoint: expected a URL with https: or http:, such as "https://gateway.example", got "ftp://x"',
      ],
    ],
    [
      'a drive where there is only one',
      'kind: dropbox\n    account: main\n    drive: 0AbcPVA',
      ['10:12 targets[0].drive: a target of kind dropbox has no "drive"; leave it out'],
    ],
    [
      'a drive at Box, which has one per account',
      'kind: box\n    account: other\n    drive: 0AbcPVA',
      ['10:12 targets[0].drive: a target of kind box has no "drive"; leave it out'],
    ],
    [
      'Box without an account',
      'kind: box\n    folder: A',
      ['7:5 targets[0].account: is missing: expected the name of an account of the list "accounts"'],
    ],
    [
      'a drive that is no id',
      'kind: google-drive\n    account: third\n    drive: https://drive.google.com/x',
      [
        '10:12 targets[0].drive: expected the id of a drive, as its address in a browser ends, got "https://drive.google.com/x"',
      ],
    ],
    [
      'one folder of one drive twice',
      'kind: google-drive\n    account: third\n    drive: D\n    folder: A\n  - { name: two, kind: google-drive, account: third, drive: D, folder: A }\n  - { name: else, kind: google-drive, account: third, folder: A }',
      ['12:72 targets[1].folder: targets[0] uses this folder too, or one inside of it or around it: give each its own'],
    ],
    [
      'a service at OneDrive without the id of a drive',
      'kind: onedrive\n    account: fifth\n    drive: app-folder',
      ['10:12 targets[0].drive: expected the id of a drive: the service "fifth" has none of its own'],
    ],
    [
      'a folder that OneDrive does not take',
      'kind: onedrive\n    account: fourth\n    drive: app-folder\n    folder: a/b?',
      ['11:13 targets[0].folder: OneDrive has no folder called "b?"; choose another name'],
    ],
    [
      'two targets in one folder, which a cloud does not tell by case',
      'kind: dropbox\n    account: main\n    folder: A\n  - { name: two, kind: dropbox, account: main, folder: a/b }',
      ['11:56 targets[1].folder: targets[0] uses this folder too, or one inside of it or around it: give each its own'],
    ],
  ]

  test.each(cases)('%s', async (_, target, faults) => {
    const accounts =
      'accounts:\n  - { name: main, kind: dropbox, client-id: app }\n  - { name: other, kind: box, client-id: app }\n  - { name: third, kind: google-drive, client-id: app }\n  - { name: fourth, kind: onedrive, client-id: app }\n  - { name: fifth, kind: onedrive, client-id: app, tenant: t, service: {} }'
    const text = `state: ./state\nsources:\n  - name: papers\n    path: ./papers\n    settle: 2s\ntargets:\n  - name: nas\n    ${target}\n${accounts}`

    expect(await faultsOf(text)).toEqual(faults)
  })

  test('an account needs the id of an app', async () => {
    expect(await faultsOf(`${valid()}\naccounts: [{ name: main, kind: dropbox }]`)).toEqual([
      '13:12 accounts[0].client-id: is missing: expected the id of an app that you registered at the cloud',
    ])
  })
})

describe('F15: folders that cannot work together are refused, both places named', () => {
  const cases: [title: string, state: string, source: string, target: string, place: string, relation: string][] = [
    [
      'target inside source',
      's',
      'in',
      'in/t',
      '8:11 targets[0].path',
      'target "t" (<>/in/t) lies inside source "a" (<>/in, sources[0].path in line 4): copies would be copied again without end; put the target elsewhere',
    ],
    [
      'source inside target',
      's',
      'out/in',
      'out',
      '8:11 targets[0].path',
      'target "t" (<>/out) contains source "a" (<>/out/in, sources[0].path in line 4): copies would be copied again without end; put the target elsewhere',
    ],
    [
      'target is source',
      's',
      'in',
      'in/../in',
      '8:11 targets[0].path',
      'target "t" (<>/in) is the same folder as source "a" (<>/in, sources[0].path in line 4): copies would be copied again without end; put the target elsewhere',
    ],
    [
      'state inside source',
      'in/s',
      'in',
      't',
      '4:11 sources[0].path',
      'source "a" (<>/in) contains the state folder (<>/in/s, state in line 1): the state folder belongs to the daemon alone; put it elsewhere',
    ],
    [
      'state inside target',
      't/s',
      'in',
      't',
      '8:11 targets[0].path',
      'target "t" (<>/t) contains the state folder (<>/t/s, state in line 1): the state folder belongs to the daemon alone; put it elsewhere',
    ],
  ]
  const file = (state: string, source: string, target: string): string =>
    `state: ${state}\nsources:\n  - name: a\n    path: ${source}\ntargets:\n  - name: t\n    kind: directory\n    path: ${target}\n`

  test.each(cases)('%s', async (_, state, source, target, place, relation) => {
    const folder = await tempFolder()

    const faults = await faultsOf(file(state, source, target), folder)

    expect(faults).toEqual([`${place}: ${relation.replaceAll('<>', folder)}`])
  })

  test('names that only begin alike are different folders', async () => {
    expect(await faultsOf(file('s', 'in', 'in-copies'))).toEqual([])
  })

  test('a symlink is followed to where it leads', async () => {
    const folder = await tempFolder()
    await mkdir(join(folder, 'in'))
    await symlink(join(folder, 'in'), join(folder, 'door'))

    const faults = await faultsOf(file('s', 'in', 'door/new/t'), folder)

    expect(faults).toEqual([
      `8:11 targets[0].path: target "t" (${folder}/door/new/t -> ${folder}/in/new/t) lies inside source "a" (${folder}/in, sources[0].path in line 4): copies would be copied again without end; put the target elsewhere`,
    ])
  })

  test('a symlink whose end does not exist yet is followed, too', async () => {
    const folder = await tempFolder()
    await symlink('in/later', join(folder, 'door'))

    const faults = await faultsOf(file('s', 'in', 'door'), folder)

    expect(faults).toEqual([expect.stringContaining(`(${folder}/door -> ${folder}/in/later) lies inside source "a"`)])
  })

  test('a loop of symlinks ends', async () => {
    const folder = await tempFolder()
    await symlink('two', join(folder, 'one'))
    await symlink('one', join(folder, 'two'))

    expect(await faultsOf(file('s', 'in', 'one'), folder)).toEqual([])
  })

  test('nested sources and shared targets are refused, even where other keys are wrong', async () => {
    const folder = await tempFolder()
    const text = [
      'state: s',
      'sources:',
      '  - { name: a, path: in }',
      '  - { name: b, path: in/deep, settle: 3 }',
      'targets:',
      '  - { name: t, kind: directory, path: out }',
      '  - { name: u, kind: tape, path: out/u }',
    ].join('\n')

    const faults = await faultsOf(text, folder)

    expect(faults).toEqual([
      `4:22 sources[1].path: source "b" (${folder}/in/deep) lies inside source "a" (${folder}/in, sources[0].path in line 3): each file would be two; give one source, and choose with select`,
      '4:39 sources[1].settle: expected a duration with a unit between 0s and 1h, such as 2s, got the bare number 3',
      '7:22 targets[1].kind: expected one of the kinds available in this version (directory, box, dropbox, google-drive, onedrive), got "tape"',
      `7:34 targets[1].path: target "u" (${folder}/out/u) lies inside target "t" (${folder}/out, targets[0].path in line 6): two targets would write over each other; give them separate folders`,
    ])
  })
})

test('characters that are escaped or harmless are no fault of a rule', async () => {
  const rules = ['\\[draft', 'a{b}', 'report (1).pdf', '\\#x', '!keep', '[a-c]*', '/top', '\\{a,b}', 'a\\\\']

  expect(await faultsOf(valid({ 5: `    ignore: ${JSON.stringify(rules)}` }))).toEqual([])
})

test('names that stand twice are refused with the line of the first', async () => {
  const text = [
    'sources:',
    '  - { name: a, path: one }',
    '  - { name: a, path: two }',
    'targets:',
    '  - { name: t, kind: directory, path: three }',
    '  - { name: t, kind: directory, path: four }',
  ].join('\n')

  expect(await faultsOf(text)).toEqual([
    '3:13 sources[1].name: the source name "a" is taken in line 2; give each its own',
    '6:13 targets[1].name: the target name "t" is taken in line 5; give each its own',
  ])
})

test('a fault inside a shared block is reported where the block stands', async () => {
  const text = [
    'sources:',
    '  - { name: a, path: one }',
    'targets:',
    '  - { name: t, kind: directory, path: two, pace: &slow { uploads: 3 } }',
    '  - { name: u, kind: directory, path: three, pace: *slow }',
  ].join('\n')

  const fault = 'pace.uploads: expected a rate, such as 10/s or 600/min, got the bare number 3'
  expect(await faultsOf(text)).toEqual([`4:67 targets[0].${fault}`, `4:67 targets[1].${fault}`])
})

test('a file that is not there says how to name one', () => {
  expect(() => readConfig('/nowhere/fanfold.yaml')).toThrow(
    '/nowhere/fanfold.yaml:1:1: there is no such file; name one with --config FILE or $FANFOLD_CONFIG',
  )
})

test('a file of more than 1 MiB is refused unread', async () => {
  expect(await faultsOf('#'.repeat(2 ** 20 + 1))).toEqual(['1:1 expected at most 1048576 bytes, got 1048577'])
})
