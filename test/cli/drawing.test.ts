/** What is drawn: exact pictures from facts, at several widths. */
import { describe, expect, test } from 'vitest'
import { frameOf, plainLine, type View } from '../../src/cli/frame.ts'
import { owedLines, owedOf } from '../../src/cli/owed.ts'
import { Speedometer } from '../../src/cli/rates.ts'
import { resyncOf } from '../../src/cli/resync.ts'
import { bar, fit, fitEnd, harmless, percent, renderLine, span, widthOf, wrap } from '../../src/cli/spans.ts'
import { statusLines } from '../../src/cli/status.ts'
import { table } from '../../src/cli/table.ts'
import { wantsColour } from '../../src/cli/terminal.ts'
import { seededRandom } from '../../src/base/random.ts'
import { aLane, aStatus, smallDesk } from '../control/small-desk.ts'

const busy = aLane({
  delivered: 620,
  waiting: 380,
  active: 2,
  parked: 2,
  bytesWaiting: 2 ** 30,
  oldestMs: 12_500,
  offering: 7,
  sending: [
    { path: 'video/recording.bin', bytesDone: 39 * 2 ** 20, size: 64 * 2 ** 20 },
    { path: 'documents/2026/a long folder name/grüße aus 東京 🎏.txt', bytesDone: 0, size: 12 },
  ],
})
const absent = aLane({
  name: 'stick',
  state: 'missing',
  delivered: 0,
  waiting: 1204,
  reason: '/media/stick is not there; plug the stick in, or give this target another path and run "fanfold check"',
})
const view: View = {
  head: ['Fanfold'],
  foot: ['Ctrl-C ends'],
  status: aStatus({ healthy: false, oldestMs: 12_500, targets: [busy, absent] }),
  speedOf: (target) =>
    target === 'nas' ? { filesPerSecond: 12.34, bytesPerSecond: 4.2e6 } : { filesPerSecond: 0, bytesPerSecond: 0 },
}

function drawn(columns: number, rows: number): string {
  return frameOf(view, { columns, rows }, false).join('\n')
}

describe('the live picture', () => {
  test('copies that failed are told with their reason and their next try, and single copies give way where the screen is low', () => {
    const failure = { source: 'papers', size: 7, attempts: 3, ageMs: 60_000 }
    const reason = 'EACCES: not readable; give it back to its reader'
    const lane = aLane({
      parked: 1,
      reason,
      failed: [
        { ...failure, path: 'a/secret.txt', reason, nextTryMs: null },
        { ...failure, path: 'b/late.txt', reason: 'the network does not lead there', nextTryMs: 90_000 },
      ],
    })
    const picture = (rows: number): readonly string[] =>
      frameOf(
        { ...view, head: [], foot: [], status: aStatus({ sources: [], targets: [lane] }) },
        { columns: 80, rows },
        false,
      )

    const whole = picture(40)
    const low = picture(8)

    expect(whole.slice(-4)).toEqual([
      '  ! a/secret.txt parked',
      '      EACCES: not readable; give it back to its reader',
      '  ! b/late.txt again in 1m 30s',
      '      the network does not lead there',
    ])
    expect(low.slice(-2)).toEqual(whole.slice(-4, -2))
  })

  test('on a wide screen', () => {
    expect(drawn(100, 40)).toBe(
      [
        'Fanfold',
        'not healthy · oldest undelivered change: 12.5s',
        '',
        'papers  watching  1204 files · 12 folders',
        '',
        'nas     running   █████████████████████████░░░░░░░░░░░░░░░  61%  620/1004',
        '  12.3 files/s · 4.0 MiB/s · 2 active · 380 waiting (1.0 GiB) · done in 4m 16s · 2 parked',
        '  7 to offer · oldest 12.5s',
        '  > video/recording.bin ██████░░░░  60% of 64.0 MiB',
        '  > documents/2026/a long folder name/grüße aus 東京 🎏.txt ░░░░░░░░░░   0% of 12 B',
        '',
        'stick   missing   ░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░   0%  0/1204',
        '  0.0 files/s · 0 B/s · 1204 waiting (0 B)',
        '  ! /media/stick is not there; plug the stick in, or give this target another path and run "fanfold',
        '    check"',
        '',
        'Ctrl-C ends',
      ].join('\n'),
    )
  })

  test('on a middling screen facts and reasons wrap, and the end of a path stays', () => {
    expect(drawn(60, 40)).toBe(
      [
        'Fanfold',
        'not healthy · oldest undelivered change: 12.5s',
        '',
        'papers  watching  1204 files · 12 folders',
        '',
        'nas     running   █████████████████░░░░░░░░░░  61%  620/1004',
        '  12.3 files/s · 4.0 MiB/s · 2 active',
        '  380 waiting (1.0 GiB) · done in 4m 16s · 2 parked',
        '  7 to offer · oldest 12.5s',
        '  > video/recording.bin ██████░░░░  60% of 64.0 MiB',
        '  > …lder name/grüße aus 東京 🎏.txt ░░░░░░░░░░   0% of 12 B',
        '',
        'stick   missing   ░░░░░░░░░░░░░░░░░░░░░░░░░░░   0%  0/1204',
        '  0.0 files/s · 0 B/s · 1204 waiting (0 B)',
        '  ! /media/stick is not there; plug the stick in, or give',
        '    this target another path and run "fanfold check"',
        '',
        'Ctrl-C ends',
      ].join('\n'),
    )
  })

  test('on a narrow screen bars give way', () => {
    expect(drawn(34, 40)).toBe(
      [
        'Fanfold',
        'not healthy · oldest undelivered …',
        '',
        'papers  watching  1204 files · 12…',
        '',
        'nas     running    61%  620/1004',
        '  12.3 files/s · 4.0 MiB/s',
        '  2 active · 380 waiting (1.0 GiB)',
        '  done in 4m 16s · 2 parked',
        '  7 to offer · oldest 12.5s',
        '  > …ecording.bin  60% of 64.0 MiB',
        '  > … aus 東京 🎏.txt   0% of 12 B',
        '',
        'stick   missing     0%  0/1204',
        '  0.0 files/s · 0 B/s',
        '  1204 waiting (0 B)',
        '  ! /media/stick is not there;',
        '    plug the stick in, or give',
        '    this target another path and …',
        '',
        'Ctrl-C ends',
      ].join('\n'),
    )
  })

  test('on a low screen what is sent now gives way first, then the rest is counted', () => {
    expect(drawn(80, 10)).toBe(
      [
        'Fanfold',
        'not healthy · oldest undelivered change: 12.5s',
        '',
        'papers  watching  1204 files · 12 folders',
        '',
        'nas     running   █████████████████████████░░░░░░░░░░░░░░░  61%  620/1004',
        '  12.3 files/s · 4.0 MiB/s · 2 active · 380 waiting (1.0 GiB) · done in 4m 16s',
        '  2 parked · 7 to offer · oldest 12.5s',
        '… 7 more lines',
      ].join('\n'),
    )
  })

  test('no line is wider than the screen and no picture higher, at any size', () => {
    for (let columns = 1; columns <= 140; columns++)
      for (const rows of [1, 2, 5, 12, 24, 60]) {
        const lines = frameOf(view, { columns, rows }, false)

        expect(lines.length, `${columns}x${rows}`).toBeLessThanOrEqual(Math.max(1, rows - 1))
        expect(Math.max(...lines.map(widthOf)), `${columns}x${rows}`).toBeLessThanOrEqual(columns)
      }
  })

  test('logins stand below the lanes, each with what its owner should do', () => {
    const main = {
      name: 'main',
      kind: 'dropbox',
      state: 'logged-in',
      user: 'anna@example.com',
      endsAt: null,
      reason: null,
    }
    const old = {
      ...main,
      name: 'old',
      state: 'ends-soon',
      user: null,
      reason: 'log in again with "fanfold login old"',
    }
    const status = aStatus({ targets: [], accounts: [main, old] })

    const lines = frameOf({ ...view, foot: [], status }, { columns: 80, rows: 40 }, false)

    expect(lines.slice(-4)).toEqual([
      '',
      'main  logged-in  dropbox · anna@example.com',
      'old   ends-soon  dropbox',
      '  ! log in again with "fanfold login old"',
    ])
  })

  test('colours change nothing but colours', () => {
    const plain = frameOf(view, { columns: 80, rows: 40 }, false)

    const coloured = frameOf(view, { columns: 80, rows: 40 }, true)

    expect(coloured).not.toEqual(plain)
    expect(coloured.map((line) => line.replace(/\u001b\[\d+m/g, ''))).toEqual(plain)
  })

  test('F17: names and reasons cannot steer the terminal', () => {
    const evil = aLane({
      reason: 'bad\u001b[2Jname\u009b2J',
      sending: [{ path: 'a\u001b]0;x\u0007\n\udcff\u202etxt', bytesDone: 1, size: 2 }],
    })

    const lines = frameOf({ ...view, status: aStatus({ targets: [evil] }) }, { columns: 100, rows: 40 }, false)

    expect(lines).toContain('  > a\\x1b]0;x\\x07\\x0a\\xff\ufffdtxt █████░░░░░  50% of 2 B')
    expect(lines).toContain('  ! bad\\x1b[2Jname\ufffd2J')
  })

  test('F110: a lane that knows of no file yet is not shown as complete', () => {
    const empty = { ...view, head: [], foot: [], status: aStatus({ sources: [], targets: [aLane({ delivered: 0 })] }) }

    const lines = frameOf(empty, { columns: 50, rows: 40 }, false)

    expect(lines).toContain('nas  running  ░░░░░░░░░░░░░░░░░░░░░░░░░░    -  0/0')
  })

  test('the same in one line', () => {
    expect(plainLine(view.status, view.speedOf, '2026-11-20T10:00:00.000Z')).toBe(
      '2026-11-20T10:00:00.000Z not healthy, oldest 12.5s' +
        ' | nas running 620/1004 (61%) 12.3 files/s 4.0 MiB/s' +
        ' | stick missing 0/1204 (0%) 0.0 files/s 0 B/s' +
        ' (/media/stick is not there; plug the stick in, or give this target another path and run "fanfold check")',
    )
  })
})

test('status is two tables, with the reasons whole below them', () => {
  const lines = statusLines(view.status, false).map((line) => renderLine(line, Infinity, false).trimEnd())

  expect(lines).toEqual([
    'not running · start it with "fanfold run"',
    'not healthy · oldest undelivered change: 12.5s',
    '',
    'SOURCE  STATE     FILES  FOLDERS  SETTLING',
    'papers  watching   1204       12         0',
    '',
    'TARGET  KIND       STATE    DELIVERED  WAITING  ACTIVE  PARKED    BYTES  OLDEST',
    'nas     directory  running        620      380       2       2  1.0 GiB   12.5s',
    'stick   directory  missing          0     1204       0       0      0 B       -',
    '',
    'stick: /media/stick is not there; plug the stick in, or give this target another path and run "fanfold check"',
  ])
})

test('F110: a target whose reason begins with its name is named once', () => {
  const lane = aLane({ name: 'nas', reason: 'nas: a folder stands where the file a must be' })

  const lines = statusLines({ ...view.status, targets: [lane] }, true).map((line) => renderLine(line, Infinity, false))

  expect(lines.at(-1)).toBe('nas: a folder stands where the file a must be')
})

test('F110: the bar of a resync counts what was offered, and begins at nothing though all of it was delivered once', () => {
  const lane = {
    ...aLane({ name: 'nas', delivered: 40, offering: 30, waiting: 10, active: 0, parked: 0 }),
    listing: null,
  }
  const later = { ...lane, offering: 0, waiting: 8, active: 2 }
  const shown = [lane, later].map((one) => {
    const { delivered, waiting, active } =
      resyncOf(aStatus({ targets: [one] }), new Map([['nas', 40]])).targets[0] ?? one
    return `${delivered}/${delivered + waiting + active}`
  })

  expect(shown).toEqual(['0/40', '30/40'])
})

test('columns line up by their width on the screen', () => {
  const lines = table(
    [{ title: 'NAME' }, { title: 'SIZE', align: 'right' }, { title: 'NOTE' }],
    [
      ['東京', 5, 'wide'],
      ['grüße', 12345, 'composed'],
      ['e\u0301', 1, span('combining', 'bad')],
    ],
  )

  expect(lines.map((line) => renderLine(line, Infinity, false))).toEqual([
    'NAME    SIZE  NOTE',
    '東京       5  wide',
    'grüße  12345  composed',
    'e\u0301          1  combining',
  ])
})

describe('text by its width', () => {
  test('is cut between characters, never inside one', () => {
    expect(fit('東京タワー', 5)).toBe('東京…')
    expect(fitEnd('東京タワー', 5)).toBe('…ワー')
    expect(fit('👨‍👩‍👧 family', 4)).toBe('👨‍👩‍👧 …')
    expect(fit('whole', 5)).toBe('whole')
    expect(fit('x', 0)).toBe('')
  })

  test('wraps at spaces, cuts words that are too long, and ends in time', () => {
    expect(wrap('one two three four', 9, 5)).toEqual(['one two', 'three', 'four'])
    expect(wrap('abcdefghij kl', 4, 5)).toEqual(['abcd', 'efgh', 'ij', 'kl'])
    expect(wrap('one two three four', 9, 2)).toEqual(['one two', 'three fo…'])
    expect(wrap('', 9, 2)).toEqual([])
  })

  test('wrapping keeps every word and the width, for texts of any kind', () => {
    const seed = 4711
    const random = seededRandom(seed)
    const letters = ['a', 'b', ' ', '東', '🎏', 'é', ' ', ' ']
    for (let round = 0; round < 2000; round++) {
      const length = Math.floor(random() * 40)
      const text = Array.from({ length }, () => letters[Math.floor(random() * letters.length)] ?? '').join('')
      const columns = 2 + Math.floor(random() * 12)

      const lines = wrap(text, columns, 100)

      const message = `seed ${seed}, round ${round}: ${JSON.stringify(text)} in ${columns}`
      expect(Math.max(0, ...lines.map((line) => widthOf(line.trimEnd()))), message).toBeLessThanOrEqual(columns)
      expect(lines.join('').replaceAll(' ', ''), message).toBe(text.replaceAll(' ', ''))
    }
  })

  test('harmless text stays as it is', () => {
    expect(harmless('grüße aus 東京 🎏')).toBe('grüße aus 東京 🎏')
  })
})

describe('progress', () => {
  test('F112: a bar and its percent are full only when all is done', () => {
    expect([bar(0, 10, 8), bar(1, 1000, 8), bar(999, 1000, 8), bar(10, 10, 8), bar(0, 0, 8)]).toEqual([
      '░░░░░░░░',
      '█░░░░░░░',
      '███████░',
      '████████',
      '████████',
    ])
    expect([percent(0, 10), percent(999, 1000), percent(10, 10), percent(0, 0)]).toEqual(['0%', '99%', '100%', '100%'])
  })

  test('speeds come from a window of 5 s, with what is under way counted', () => {
    const speed = new Speedometer()
    const at = (ms: number, delivered: number, bytesSent: number, bytesDone: number): void =>
      speed.add(
        aStatus({ targets: [aLane({ delivered, bytesSent, sending: [{ path: 'x', bytesDone, size: 1e9 }] })] }),
        ms,
      )

    at(0, 100, 0, 0)
    const first = speed.of('nas')
    at(1000, 110, 500, 500)
    const second = speed.of('nas')
    for (let ms = 2000; ms <= 12_000; ms += 1000) at(ms, 110, 500, 500)
    const rested = speed.of('nas')

    expect(first).toEqual({ filesPerSecond: 0, bytesPerSecond: 0 })
    expect(second).toEqual({ filesPerSecond: 10, bytesPerSecond: 1000 })
    expect(rested).toEqual({ filesPerSecond: 0, bytesPerSecond: 0 })
    expect(speed.of('unknown')).toEqual({ filesPerSecond: 0, bytesPerSecond: 0 })
  })

  test('a daemon that began to count anew has no negative speed', () => {
    const speed = new Speedometer()

    speed.add(aStatus({ targets: [aLane({ bytesSent: 1e9, delivered: 50 })] }), 0)
    speed.add(aStatus({ targets: [aLane({ bytesSent: 0, delivered: 40 })] }), 1000)

    expect(speed.of('nas')).toEqual({ filesPerSecond: 0, bytesPerSecond: 0 })
  })
})

describe('what a run leaves undone', () => {
  test('nothing, when every lane is done and every source was read', () => {
    const owed = owedOf(smallDesk(), '2026-11-20T09:00:00.000Z')

    expect(owed).toEqual([])
    expect(owedLines(owed).map((line) => renderLine(line, 80, false))).toEqual(['everything is delivered'])
  })

  test('lanes with their counts, sources that are missing, files with their reasons', () => {
    const source = {
      name: 'photos',
      state: 'missing',
      files: 0,
      watched: 0,
      reason: 'not mounted',
      settling: 0,
      removalsHeld: false,
      lastScanMs: null,
    }
    const desk = smallDesk(
      aStatus({
        sources: [source],
        targets: [aLane({ parked: 1, waiting: 2, reason: 'EACCES' }), aLane({ name: 'b' })],
      }),
    )

    const lines = owedLines(owedOf(desk, '2026-11-20T10:00:00.000Z'))

    expect(lines.map((line) => renderLine(line, Infinity, false))).toEqual([
      'NOT DONE       STATE    PATH   REASON',
      'source photos  missing  -      not mounted',
      'target nas     running  -      1 parked, 2 owed; EACCES',
      'target nas     parked   a.txt  EACCES',
    ])
  })

  test('failures of earlier runs are not told again', () => {
    const desk = smallDesk(aStatus({ targets: [aLane({ waiting: 1 })] }))

    const owed = owedOf(desk, '2026-11-20T11:00:00.000Z')

    expect(owed.map(({ path }) => path)).toEqual([null])
  })
})

test('NO_COLOR and FORCE_COLOR are respected, FORCE_COLOR first', () => {
  expect(wantsColour({}, true)).toBe(true)
  expect(wantsColour({}, false)).toBe(false)
  expect(wantsColour({ NO_COLOR: '1' }, true)).toBe(false)
  expect(wantsColour({ NO_COLOR: '' }, true)).toBe(true)
  expect(wantsColour({ FORCE_COLOR: '1', NO_COLOR: '1' }, false)).toBe(true)
  expect(wantsColour({ FORCE_COLOR: '0' }, true)).toBe(false)
})
