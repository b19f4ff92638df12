import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { aBench, fanfold, startDaemon, writeConfig, type Bench, type RunningDaemon } from './rig.ts'

const delivered = (daemon: RunningDaemon, target: string, files: number) =>
  daemon.until(({ targets }) => targets.some(({ name, delivered }) => name === target && delivered >= files))

function put(bench: Bench, name: string, content = name): void {
  writeFileSync(join(bench.inbox, name), content)
}

describe('a changed configuration', () => {
  test('F95: SIGHUP adds, changes and removes targets; plan says before what will happen', async () => {
    const bench = aBench({ nas: '', old: '' })
    put(bench, 'letter.txt')
    put(bench, 'scan.pdf', 'x'.repeat(2000))
    const daemon = await startDaemon(bench)
    await delivered(daemon, 'nas', 2)
    await delivered(daemon, 'old', 2)

    writeConfig(bench, { nas: 'select: { include: ["*.pdf"] }', usb: 'pace: { bandwidth: 1KiB/s }' })
    const planned = JSON.parse((await fanfold(bench, 'plan', '--json')).stdout) as Record<string, unknown>
    daemon.child.kill('SIGHUP')
    await delivered(daemon, 'usb', 2)

    expect(planned).toMatchObject({
      targets: [
        { name: 'nas', isNew: false, enter: { files: 0 }, leave: { files: 1, bytes: 10 } },
        { name: 'usb', isNew: true, enter: { files: 2, bytes: 2010 }, durationMs: 1963 },
      ],
      removedTargets: ['old'],
    })
    put(bench, 'note.txt')
    put(bench, 'late.pdf')
    await delivered(daemon, 'nas', 3)
    expect(existsSync(join(bench.copies('nas'), 'note.txt'))).toBe(false)
    expect(existsSync(join(bench.copies('nas'), 'letter.txt'))).toBe(true)
    expect((await daemon.status()).targets.map(({ name }) => name)).toEqual(['nas', 'usb'])
  })

  test('F96: a target with another name goes on where it was', async () => {
    const bench = aBench({ nas: '' })
    for (const name of ['a', 'b', 'c']) put(bench, name)
    const daemon = await startDaemon(bench)
    await delivered(daemon, 'nas', 3)

    writeFileSync(
      bench.config,
      readFileSync(bench.config, 'utf8').replace('name: nas', 'name: vault\n    formerly: nas'),
    )
    const planned = await fanfold(bench, 'plan', '--json')
    const reloaded = await fanfold(bench, 'reload')
    put(bench, 'd')
    const status = await delivered(daemon, 'vault', 4)

    expect(JSON.parse(planned.stdout)).toMatchObject({ targets: [{ name: 'vault', isNew: false }], removedTargets: [] })
    expect(reloaded.stdout).toBe('target nas removed\ntarget vault added\n')
    expect(status.targets.map(({ name, bytesSent }) => [name, bytesSent])).toEqual([['vault', 1]])
  })

  test('F95: a file that cannot be used changes nothing, and says so until it can', async () => {
    const bench = aBench({ nas: '' })
    const daemon = await startDaemon(bench)
    const sound = readFileSync(bench.config, 'utf8')

    writeFileSync(bench.config, sound.replace('kind: directory', 'kind: floppy'))
    daemon.child.kill('SIGHUP')
    const refused = await daemon.until(({ reasons }) => reasons.some((reason) => reason.includes('floppy')))
    const asked = await fanfold(bench, 'reload')

    expect(refused.healthy).toBe(false)
    expect(refused.reasons.join()).toMatch(/stays in force: .*fanfold\.yaml:\d+:\d+: targets\[0\]\.kind/)
    expect(asked.code).toBe(78)
    put(bench, 'goes-on.txt')
    await delivered(daemon, 'nas', 1)

    writeFileSync(bench.config, sound)
    const healed = await fanfold(bench, 'reload')
    expect(healed).toMatchObject({ code: 0, stdout: 'nothing is different\n' })
    expect((await daemon.status()).reasons).toEqual([])
  })

  test('what the daemon stands on is not changed under it', async () => {
    const bench = aBench({ nas: '' })
    await startDaemon(bench)

    writeFileSync(bench.config, `node: { id: other }\n${readFileSync(bench.config, 'utf8')}`)
    const answer = await fanfold(bench, 'reload')

    expect(answer.code).not.toBe(0)
    expect(answer.stderr).toContain('a change of "node:" takes effect only with a restart')
  })

  test('a source joins while the daemon runs', async () => {
    const bench = aBench({ nas: '' })
    const daemon = await startDaemon(bench)
    const extra = join(bench.folder, 'extra')
    writeFileSync(
      bench.config,
      readFileSync(bench.config, 'utf8')
        .replace('targets:', `  - { name: extra, path: ./extra }\ntargets:`)
        .replace("at: '{path}'", "at: '{source}/{path}'"),
    )
    mkdirSync(extra)
    writeFileSync(join(extra, 'more.txt'), 'more')

    expect((await fanfold(bench, 'reload')).stdout).toBe('target nas changed\nsource extra added\n')
    await delivered(daemon, 'nas', 1)

    expect(readFileSync(join(bench.copies('nas'), 'extra/more.txt'), 'utf8')).toBe('more')
  })

  test('a paused target waits, also over a restart, until it is resumed', async () => {
    const bench = aBench({ nas: '', usb: '' })
    const first = await startDaemon(bench)
    await fanfold(bench, 'pause', 'nas')
    put(bench, 'a.txt')
    await delivered(first, 'usb', 1)
    await first.end('SIGTERM')

    const daemon = await startDaemon(bench)
    const held = await daemon.until(({ targets }) => targets[0]?.state === 'held')
    expect(held.targets[0]).toMatchObject({ waiting: 1, reason: expect.stringContaining('fanfold resume') as string })

    expect((await fanfold(bench, 'resume', 'nas')).stdout).toBe('nas: goes on\n')
    await delivered(daemon, 'nas', 1)
  })
})
