/** The blocks `status` and `notify`: what they mean, and what is refused. */
import { describe, expect, test } from 'vitest'
import { parseConfig } from '../../src/config/config.ts'

const least = 'sources: [{ name: a, path: in }]\ntargets: [{ name: t, kind: directory, path: /mnt/t }]\n'
const read = (lines: string) => parseConfig('/etc/fanfold/fanfold.yaml', `${lines}\n${least}`)

describe('status', () => {
  test.each([
    ['127.0.0.1:8384', { kind: 'tcp', host: '127.0.0.1', port: 8384 }],
    ['localhost:0', { kind: 'tcp', host: 'localhost', port: 0 }],
    ["'[::1]:8384'", { kind: 'tcp', host: '::1', port: 8384 }],
    ['unix:page.sock', { kind: 'unix', path: '/etc/fanfold/page.sock' }],
  ])('listen: %s', (text, listen) => {
    expect(read(`status: { listen: ${text} }`).status).toEqual({ listen, hosts: [] })
  })

  test('what others than this machine can reach needs the names it may be called', () => {
    expect(() => read('status: { listen: 0.0.0.0:8384 }')).toThrow(/others than this machine could ask there/)
    expect(() => read('status: { listen: 192.168.1.5:8384 }')).toThrow(/"hosts"/)
    expect(read('status: { listen: 0.0.0.0:8384, hosts: [nas.example] }').status.hosts).toEqual(['nas.example'])
  })

  test.each(['8384', 'evil.example:80', '127.0.0.1', '127.0.0.1:99999', "'unix:'", 'http://127.0.0.1:1'])(
    'refuses %s',
    (text) => {
      expect(() => read(`status: { listen: ${text} }`)).toThrow(/expected an address of this machine with a port/)
    },
  )
})

describe('notify', () => {
  test('is read with its places and times', () => {
    const lines = `notify: { ping: { url-file: ping, every: 5m }, on-red: { command: [mail, -s, red] }, on-green: { url: 'https://h.example/x' }, digest: '07:30' }`

    expect(read(lines).notify).toEqual({
      ping: { to: { kind: 'file', path: '/etc/fanfold/ping' }, everyMs: 300_000 },
      onRed: { kind: 'command', words: ['mail', '-s', 'red'] },
      onGreen: { kind: 'web', to: { kind: 'url', url: 'https://h.example/x' } },
      digestMinute: 450,
    })
  })

  test.each([
    ['{ ping: {} }', 'give one of url and url-file'],
    ['{ on-red: { url: "https://h.example", command: [x] } }', 'give one of command, url and url-file'],
    ['{ on-red: { command: [] } }', 'expected a program and its arguments'],
    ['{ digest: "07:00" }', 'goes to on-red'],
    ['{ digest: "7 o\'clock", on-red: { command: [x] } }', 'expected a time of the local day'],
  ])('refuses %s', (text, message) => {
    expect(() => read(`notify: ${text}`)).toThrow(message)
  })

  test('no message repeats a URL, which is a secret', () => {
    const attempt = (): unknown => read('notify: { ping: { url: "ftp://s3cret.example/token" } }')

    expect(attempt).toThrow(/ping.url: is no URL/)
    expect(attempt).not.toThrow(/s3cret/)
  })
})
