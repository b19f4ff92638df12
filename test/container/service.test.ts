/** The service on a real systemd: installed as README says, started, driven into trouble, stopped, rebooted, removed. */
import { cpSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { stopThread, watchThreadOf } from '../daemon/stopped-thread.ts'
import { aContainer, whyNoContainer, type Container } from './container.ts'

/** Debian's packages come over the network; where the native part has to be compiled it takes the longest. */
const makeMsMax = 900_000
const testMsMax = 180_000
const daemon = 'dist/main.js\0run'
const configFile = '/etc/fanfold/fanfold.yaml'
const ownDropIn = '/etc/systemd/system/fanfold.service.d/90-test.conf'
/** The command as a user who is not logged in. */
const asCarla = (command: string): string =>
  `runuser --user carla -- env HOME=/home/carla XDG_RUNTIME_DIR=/run/user/$(id --user carla) sh -c '${command}'`

const whyNot = whyNoContainer()

describe('the service', { timeout: testMsMax }, () => {
  let machine: Container
  let made: Container | undefined
  beforeAll(async () => {
    if (whyNot !== undefined) throw new Error(whyNot)
    machine = made = await aContainer()
  }, makeMsMax)
  afterAll(async () => {
    await made?.remove()
  }, testMsMax)

  function write(path: string, text: string | Buffer): void {
    mkdirSync(join(machine.root, path, '..'), { recursive: true })
    writeFileSync(join(machine.root, path), text)
  }

  /** Source in the open, source in a home, one target, and those whose folders are given. */
  function configure({
    pace = '{}',
    more = [],
    sources: others = [],
  }: { pace?: string; more?: readonly string[]; sources?: readonly string[] } = {}): string {
    const sources = [
      '{ name: inbox, path: /srv/inbox }',
      '{ name: papers, path: /home/anna/papers }',
      ...others.map((path) => `{ name: ${basename(path)}, path: ${path} }`),
    ]
    const targets = [
      `{ name: archive, kind: directory, path: /srv/archive, pace: ${pace} }`,
      ...more.map((path) => `{ name: ${basename(path)}, kind: directory, path: ${path} }`),
    ]
    const text = `state: /var/lib/fanfold\nsources: [${sources.join(', ')}]\ntargets: [${targets.join(', ')}]\n`
    write(configFile, text)
    return text
  }

  /** Starts the service with settings of one test. */
  async function restartWith(...lines: string[]): Promise<void> {
    write(ownDropIn, ['[Service]', ...lines, ''].join('\n'))
    await machine.must('systemctl daemon-reload && systemctl restart fanfold')
  }

  function copyOf(path: string): string {
    return join(machine.root, '/srv/archive', path)
  }

  async function fact(property: string): Promise<string> {
    return (await machine.must(`systemctl show fanfold --property=${property} --value`)).trim()
  }

  async function archived(path: string, withinMs?: number): Promise<void> {
    await machine.until(`test -e /srv/archive/${path}`, withinMs)
  }

  test('is installed by three commands, started, and archives what is dropped', async () => {
    const first = await machine.must('fanfold install')
    configure()
    await machine.must('mkdir -p /srv/inbox /srv/open /home/anna/papers /home/bert && chmod 777 /srv/open')
    await machine.must('install -d -o fanfold -g fanfold /srv/archive')
    await machine.must('fanfold install')

    await machine.must('systemctl enable --now fanfold')
    write('/srv/inbox/dropped', 'dropped')
    write('/home/anna/papers/letter', 'letter')
    await archived('inbox/dropped')
    await archived('papers/letter')

    expect(first).toContain('edit /etc/fanfold/fanfold.yaml')
    expect(await fact('ActiveState')).toBe('active')
    await machine.until('systemctl show fanfold --property=StatusText --value | grep -qx "nothing waits"')
    expect(await machine.must('journalctl -u fanfold -o json --output-fields=PRIORITY,MESSAGE --no-pager')).toMatch(
      /"PRIORITY":"6"[^\n]*lane: |lane: [^\n]*"PRIORITY":"6"/,
    )
  })

  test('a second install changes nothing, and doctor finds all well', async () => {
    const again = await machine.must('fanfold install')
    const doctor = await machine.run('fanfold doctor --json')

    expect(again).not.toContain('write')
    expect(doctor.code, doctor.text).toBe(0)
    expect(JSON.parse(doctor.text)).toMatchObject({ well: true })
  })

  test('doctor names what is wrong, with its fix, and ends with 1', async () => {
    await machine.must('chown root /srv/archive && chmod 700 /srv/archive')

    const { code, text } = await machine.run('fanfold doctor')
    await machine.must('chown fanfold /srv/archive && chmod 755 /srv/archive')

    expect(code).toBe(1)
    expect(text).toMatch(
      /bad +access +target archive: fanfold cannot write \/srv\/archive \(EACCES\)\n +fix: sudo setfacl /,
    )
  })

  test('F95: a new target joins by a reload, without a restart', async () => {
    await machine.must('install -d /srv/more && install -d -o fanfold -g fanfold /srv/more/second')
    await restartWith('ReadWritePaths=/srv/more')
    const pid = await fact('MainPID')

    configure({ more: ['/srv/more/second'] })
    await machine.must('systemctl reload fanfold')
    await machine.until('test -e /srv/more/second/inbox/dropped -a -e /srv/more/second/papers/letter')

    expect(await fact('MainPID')).toBe(pid)
    expect(await machine.must('journalctl -u fanfold --no-pager')).toContain('configuration reloaded changes=1')
  })

  test('F106: a new target outside of what the unit opens is told, with what opens it', async () => {
    await machine.must('install -d -o fanfold -g fanfold /srv/closed')

    configure({ more: ['/srv/closed'] })
    await machine.must('systemctl reload fanfold')
    await machine.until('systemctl show fanfold --property=StatusText --value | grep -q "closed read-only"')
    const doctor = await machine.run('fanfold doctor')
    await machine.must('fanfold install && systemctl restart fanfold')
    await machine.until('test -e /srv/closed/inbox/dropped')

    expect(doctor.text).toMatch(
      /target closed: the unit does not let the service write \/srv\/closed\n +fix: sudo fanfold install && sudo systemctl restart /,
    )
  })

  test('F11: disks that are a source, lie in one and are a target go and come back, and the service sees it', async () => {
    const places = ['/mnt/stick', '/srv/inbox/disk', '/mnt/backup']
    // Mounted from a place of their own, a disk is the same one again.
    const disk = (place: string): string => `/srv/disks/${basename(place)}`
    for (const place of places)
      await machine.must(`mkdir -p ${place} ${disk(place)} && mount -t tmpfs -o mode=755 none ${disk(place)}`)
    const plug = async (): Promise<void> => {
      for (const place of places) await machine.must(`mount --bind ${disk(place)} ${place}`)
    }
    await plug()
    await machine.must('chown fanfold /mnt/backup && echo 1 > /mnt/stick/first && echo 1 > /srv/inbox/disk/first')
    configure({ sources: ['/mnt/stick'], more: ['/mnt/backup'] })
    await machine.must('fanfold install && systemctl restart fanfold')
    const copies = (name: string): string => `test -e /mnt/backup/stick/${name} -a -e /mnt/backup/inbox/disk/${name}`
    await machine.until(copies('first'))

    for (const place of places) await machine.must(`umount ${place}`)
    await machine.must('echo 2 > /srv/inbox/dropped-2')
    await machine.until('fanfold status | grep -q "^inbox: not mounted: disk;"')
    await machine.until('fanfold status | grep -q "^stick: .*on another file system than before"')
    await machine.until('fanfold status | grep -q "^backup: .*another disk or an empty mount point"')
    await plug()
    await machine.must('echo 2 > /mnt/stick/second && echo 2 > /srv/inbox/disk/second')
    await machine.until(copies('second'))

    expect(await machine.must('cat /mnt/backup/inbox/dropped-2')).toBe('2\n')
    configure()
    await machine.must('fanfold install && systemctl restart fanfold')
    for (const place of places) await machine.must(`umount ${place} ${disk(place)}`)
  })

  test('F95: a wrong configuration changes nothing at a reload, and is told until it is right', async () => {
    write('/root/sound.yaml', configure())
    await machine.must('systemctl reload fanfold')
    const pid = await fact('MainPID')

    write(configFile, configure().replace('kind: directory', 'kind: floppy'))
    await machine.must('systemctl reload fanfold')
    await machine.until('systemctl show fanfold --property=StatusText --value | grep -q "not taken over"')
    const status = await machine.must('fanfold status --json --config /root/sound.yaml || test $? = 1')
    const told = await machine.must('journalctl -u fanfold -p err --no-pager')
    write('/srv/inbox/goes-on', 'x')
    await archived('inbox/goes-on')
    configure()
    await machine.must('systemctl reload fanfold')

    await machine.until('systemctl show fanfold --property=StatusText --value | grep -qx "nothing waits"')
    expect(status).toMatch(/stays in force: [^\n]*fanfold\.yaml:3:\d+: targets\[0\]\.kind/)
    expect(told).toMatch(/configuration not taken over reason=[^\n]*fanfold\.yaml:3:\d+/)
    expect([await fact('MainPID'), await fact('NRestarts')]).toEqual([pid, '0'])
  })

  test('F105: systemd finds no fault in the unit, and rates its exposure at most 1.5', async () => {
    expect((await machine.run('systemd-analyze verify --man=no fanfold.service 2>&1')).text).toBe('')
    await machine.must('systemd-analyze security --threshold=15 fanfold.service')
  })

  test('F105, F106: what the unit forbids does not work from inside, what it allows does', async () => {
    write('/home/anna/diary', 'private')
    write('/home/bert/diary', 'private')
    write('/etc/fanfold/credentials/secret', 'sesame')
    cpSync(fileURLToPath(new URL('forbidden.mjs', import.meta.url)), join(machine.root, '/usr/local/lib/forbidden.mjs'))
    await machine.must('chmod -R a+rX /home/anna /home/bert && chmod 777 /srv/inbox /home/anna/papers')
    await machine.must('chmod 600 /etc/fanfold/credentials/secret && chmod 666 /etc/fanfold/fanfold.yaml')
    await machine.must('cp /usr/bin/id /usr/local/bin/as-root && chmod 4755 /usr/local/bin/as-root')
    const units = join(machine.root, '/etc/systemd/system')
    const unit = readFileSync(join(units, 'fanfold.service'), 'utf8').replace(/^(Watchdog|Restart)\w*=.*\n/gm, '')
    const dropIn = readFileSync(join(units, 'fanfold.service.d/50-fanfold-install.conf'), 'utf8')
    write('/etc/systemd/system/forbidden.service', unit.replace('Type=notify', 'Type=oneshot'))
    write(
      '/etc/systemd/system/forbidden.service.d/a.conf',
      dropIn.replace(/^(ExecStart=.+|Restart\w+=.*)$/gm, '') + 'ExecStart=/usr/bin/node /usr/local/lib/forbidden.mjs\n',
    )

    await machine.must('systemctl daemon-reload && systemctl start forbidden')
    const answers: unknown = JSON.parse(readFileSync(join(machine.root, '/var/lib/fanfold/forbidden.json'), 'utf8'))

    expect(answers).toEqual({
      writeEtc: 'EROFS',
      writeUsr: 'EROFS',
      writeOpenFolder: 'EROFS',
      writeSource: 'EROFS',
      writeHomeSource: 'EROFS',
      writeTarget: 'done',
      writeState: 'done',
      readHome: 'ENOENT',
      readBesideSource: 'ENOENT',
      readHomeSource: 'letter',
      newPrivileges: 'none',
      newNamespace: expect.stringContaining('failed') as string,
      otherProcesses: '0',
      signalFirst: 'EPERM',
      credential: 'sesame',
    })
  })

  test('F103: a wrong configuration ends it with 78, and it is not started again', async () => {
    write(configFile, 'state: /var/lib/fanfold\nsources: nonsense\n')

    const { code } = await machine.run('systemctl restart fanfold')
    await delay(7_000)
    const facts = [await fact('ExecMainStatus'), await fact('ActiveState'), await fact('NRestarts')]
    const told = await machine.must('journalctl -u fanfold -p err --no-pager')
    configure()
    await machine.must('systemctl reset-failed fanfold; systemctl start fanfold')

    expect(code).not.toBe(0)
    expect(facts).toEqual(['78', 'failed', '0'])
    expect(told).toContain('/etc/fanfold/fanfold.yaml:2:10')
  })

  test('F101: a blocked main loop is ended and started again, and nothing is lost', async () => {
    await restartWith('WatchdogSec=8', 'RestartSec=1')

    const goOn = stopThread(machine.pidOf(daemon))
    write('/srv/inbox/while-blocked', 'x')
    await machine.until('systemctl show fanfold --property=Result --value | grep -qx watchdog', 60_000)
    await delay(1_000)
    goOn()
    await machine.until('test $(systemctl show fanfold --property=NRestarts --value) = 1', 60_000)
    await archived('inbox/while-blocked', 60_000)

    expect(await machine.must('journalctl -u fanfold --no-pager')).toContain('Watchdog timeout')
  })

  test('F18, F101: a dead watch thread that is not replaced within the watchdog’s time is a reason to start again, and nothing is lost', async () => {
    // A silent thread is replaced after 5 s, of which 2.5 s at least go by without a sign of life.
    await restartWith('WatchdogSec=2', 'RestartSec=1')

    const goOn = stopThread(watchThreadOf(machine.pidOf(daemon)))
    write('/srv/inbox/while-unwatched', 'x')
    await machine.until('systemctl show fanfold --property=Result --value | grep -qx watchdog', 60_000)
    await delay(1_000)
    goOn()
    await machine.until('test $(systemctl show fanfold --property=NRestarts --value) -ge 1', 60_000)
    await archived('inbox/while-unwatched', 60_000)

    expect(await machine.must('journalctl -u fanfold --no-pager')).toContain('the watch thread does not answer')
  })

  test('F102: a stop in mid-copy is in time and in order, and the next start goes on with it', async () => {
    const copied = `fanfold status --json | grep -o '"bytesDone": [1-9][0-9]*'`
    configure({ pace: '{ concurrency: 1, bandwidth: 12MiB/s }' })
    await restartWith()
    await machine.must('head --bytes=400M /dev/urandom >/srv/inbox/large')
    await machine.until(copied, 60_000)

    const startMs = performance.now()
    await machine.must('systemctl stop fanfold')
    const stopMs = performance.now() - startMs
    const facts = [await fact('Result'), await fact('ExecMainStatus'), existsSync(copyOf('inbox/large'))]
    await machine.must('systemctl start fanfold')
    await machine.until(copied)
    const firstBytes = Number((await machine.must(copied)).split(' ')[1])
    await archived('inbox/large', 60_000)

    expect(stopMs).toBeLessThan(50_000)
    expect(facts).toEqual(['success', '0', false])
    // More than a new beginning could have copied by then.
    expect(firstBytes).toBeGreaterThan(100 * 2 ** 20)
    await machine.must('cmp /srv/inbox/large /srv/archive/inbox/large')
  })

  test('F107: a service of one user needs no root, and its doctor finds all well', async () => {
    await machine.must('useradd --create-home carla && loginctl enable-linger carla')
    await machine.until('test -S /run/user/$(id --user carla)/systemd/private')

    const shown = await machine.must(asCarla('mkdir -p ~/Fanfold/inbox ~/Fanfold/archive && fanfold install --user'))
    await machine.must(asCarla('systemctl --user enable --now fanfold && echo x >~/Fanfold/inbox/letter'))
    await machine.until('test -e /home/carla/Fanfold/archive/inbox/letter')
    const doctor = await machine.run(asCarla('fanfold doctor --user'))

    expect(shown).not.toContain('enable-linger')
    expect(doctor.code, doctor.text).toBe(0)
    expect(doctor.text).toContain('outlives the last logout')
  })

  test('both are there again after a reboot', async () => {
    await machine.reboot()

    await machine.until('systemctl is-active fanfold', 60_000)
    write('/srv/inbox/after-reboot', 'x')
    write('/home/carla/Fanfold/inbox/after-reboot', 'x')
    await archived('inbox/after-reboot')
    await machine.until('test -e /home/carla/Fanfold/archive/inbox/after-reboot')
  })

  test('uninstall stops it and leaves configuration, journal and copies', async () => {
    await machine.must(`rm ${ownDropIn}`)
    await machine.must('fanfold uninstall')
    const again = await machine.must('fanfold uninstall')

    expect((await machine.run('systemctl cat fanfold')).code).not.toBe(0)
    expect((await machine.run('pgrep -u fanfold -f "main[.]js run"')).code).not.toBe(0)
    await machine.must(
      'test -e /etc/fanfold/fanfold.yaml -a -e /var/lib/fanfold/journal.sqlite -a -e /srv/archive/inbox/dropped',
    )
    await machine.must('test ! -e /etc/systemd/system/fanfold.service.d -a ! -e /etc/sysusers.d/fanfold.conf')
    expect(again).not.toContain('remove')
  })
  test('F107: uninstall --user takes away the user’s service alone', async () => {
    await machine.must(asCarla('fanfold uninstall --user'))

    expect((await machine.run(asCarla('systemctl --user cat fanfold'))).code).not.toBe(0)
    expect((await machine.run('pgrep -u carla -f "main[.]js run"')).code).not.toBe(0)
    await machine.must(
      'test -e /home/carla/.config/fanfold/fanfold.yaml -a -e /home/carla/Fanfold/archive/inbox/letter',
    )
  })
})
