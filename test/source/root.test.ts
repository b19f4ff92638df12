import { chmodSync, mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, describe, expect, test } from 'vitest'
import { aStartingWorld, aWorld, atRest, endWorlds, until } from './world.ts'

afterEach(endWorlds)

const nobody = 65_534

describe('the root', () => {
  test('F10, F11: moved away it is missing and nothing is removed; back again, it is watched and scanned', async () => {
    const world = await aWorld({ before: (root) => writeFileSync(join(root, 'a'), '1') })
    await until(() => world.ledger.paths.length === 1)
    const away = `${world.root}.away`

    renameSync(world.root, away)
    await until(() => world.source.state().state === 'missing')
    await atRest(world, 600)
    const whileAway = [...world.ledger.lines]
    writeFileSync(join(away, 'b'), '2')
    renameSync(away, world.root)
    await until(() => world.ledger.paths.length === 2)
    writeFileSync(join(world.root, 'c'), '3')
    await until(() => world.ledger.paths.includes('c'))

    expect(whileAway).toEqual(['put a'])
    expect(world.source.state().state).toBe('watching')
  })

  test('F10: deleted and created anew, it is watched again within 10 s', async () => {
    const world = await aWorld()
    writeFileSync(join(world.root, 'a'), '1')
    await until(() => world.ledger.paths.length === 1)

    rmSync(world.root, { recursive: true })
    mkdirSync(world.root)
    writeFileSync(join(world.root, 'b'), '2')
    await until(
      () => world.ledger.paths.join() === 'b',
      () => world.ledger.lines,
      10_000,
    )
    writeFileSync(join(world.root, 'c'), '3')

    await until(() => world.ledger.paths.includes('c'))
  })

  test('F11: an empty folder in place of a known one is doubted, and nothing counts as removed', async () => {
    const world = await aWorld()
    writeFileSync(join(world.root, 'a'), '1')
    await until(() => world.ledger.paths.length === 1)
    await world.stop()
    rmSync(join(world.root, 'a'))

    const again = await aStartingWorld({ path: world.root, ledger: world.ledger })
    await until(() => again.source.state().state === 'suspect')
    await atRest(again, 600)
    const whileEmpty = [...again.ledger.lines]
    writeFileSync(join(world.root, 'b'), '2')
    await until(() => again.ledger.paths.join() === 'b')

    expect(whileEmpty).toEqual(['put a'])
    await until(() => again.source.state().state === 'watching')
  })

  test('a root that is not there at start is missing, and comes to life when it appears', async () => {
    const world = await aStartingWorld({ before: (root) => rmSync(root, { recursive: true }) })

    await until(() => world.source.state().state === 'missing')
    const isIdleWhileMissing = world.source.isIdle()
    mkdirSync(world.root)
    writeFileSync(join(world.root, 'a'), '1')
    await until(() => world.ledger.paths.includes('a'))

    expect(isIdleWhileMissing).toBe(true)
    await expect(world.source.rescan('test')).resolves.toBeUndefined()
  })

  test('a rescan of a missing root is refused, saying why', async () => {
    const world = await aStartingWorld({ before: (root) => rmSync(root, { recursive: true }) })

    await until(() => world.source.state().state === 'missing')

    await expect(world.source.rescan('test')).rejects.toThrow(`source papers cannot be scanned: ${world.root}`)
  })
})

describe('folders that cannot be read', () => {
  test.runIf(process.getuid?.() === 0)('F41: files in an unreadable folder are unknown, not removed', async () => {
    const world = await aWorld()
    chmodSync(join(world.root, '..'), 0o755)
    mkdirSync(join(world.root, 'closed'))
    writeFileSync(join(world.root, 'closed/a'), '1')
    writeFileSync(join(world.root, 'b'), '1')
    await until(() => world.ledger.paths.length === 2)

    chmodSync(join(world.root, 'closed'), 0o000)
    process.seteuid?.(nobody)
    try {
      await world.source.rescan('test')
      await atRest(world, 600)
    } finally {
      process.seteuid?.(0)
    }

    expect(world.ledger.paths).toEqual(['b', 'closed/a'])
    expect(world.notes).toContainEqual(expect.objectContaining({ event: 'unreadable', path: 'closed' }))
    expect(world.source.state().skipped.get('unreadable')).toBe(1)
  })
})
