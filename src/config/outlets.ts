/** The blocks `status` and `notify` of the configuration: their keys, and what they mean. Who listens and who tells is not its concern. */
import { isIP } from 'node:net'
import { resolve } from 'node:path'
import { z } from 'zod'
import { amount, block, duration, expected, list, pathText, ruled } from './keys.ts'
import type { NotifyConfig, PageAddress, Recipient, StatusConfig, WebAddress } from './settings.ts'

/** More names for one page are a list that nobody keeps. */
const hostsMax = 32
/** A program with more arguments is better a script of its own. */
const wordsMax = 64

const listenText = 'an address of this machine with a port, such as 127.0.0.1:8384, or unix:/path'

/** `127.0.0.1:8384`, `[::1]:8384`, `localhost:8384` or `unix:/run/fanfold/page.sock`; undefined where it is none. */
function parseListen(text: string): PageAddress | undefined {
  if (text.startsWith('unix:')) return text.length > 5 ? { kind: 'unix', path: text.slice(5) } : undefined
  const match = /^(\[[^\]]+\]|[^:\s]+):(\d{1,5})$/.exec(text)
  const host = (match?.[1] ?? '').replace(/^\[|\]$/g, '')
  const port = Number(match?.[2])
  const isHost = host === 'localhost' || isIP(host) !== 0
  return match !== null && isHost && port <= 65_535 ? { kind: 'tcp', host, port } : undefined
}

/** Only this machine can ask there. */
function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^127\./.test(host)
}

const hostText = z
  .string(expected('a host name, such as fanfold.example'))
  .regex(/^[a-z0-9.-]{1,253}(:\d{1,5})?$/, expected('a host name in small letters, with or without a port'))

export const statusBlock = block({
  listen: amount(listenText, parseListen)
    .optional()
    .meta({ description: 'Where page, health and metrics are served, such as 127.0.0.1:8384; nowhere if left out.' }),
  hosts: list(hostText, hostsMax).default([]).meta({
    description: 'Names besides this machine’s own under which a browser may ask, for a reverse proxy in front.',
  }),
}).superRefine(({ listen, hosts }, context) => {
  if (listen?.kind !== 'tcp' || isLoopback(listen.host) || hosts.length > 0) return
  const message =
    'others than this machine could ask there: give a loopback address such as 127.0.0.1:8384 and put a reverse proxy in front, or name under "hosts" what the page may be called'
  context.addIssue({ code: 'custom', path: ['listen'], message })
})

/** No message repeats what was written: it may be a secret. */
function webFault(text: string): string | undefined {
  const url = URL.canParse(text) ? new URL(text) : undefined
  return url?.protocol === 'https:' || url?.protocol === 'http:' ? undefined : 'is no URL with https: or http:'
}

const urlText = ruled('a URL', webFault)
const webKeys = {
  url: urlText.optional().meta({ description: 'URL that is called; a secret, so url-file is better.' }),
  'url-file': pathText('a file').optional().meta({ description: 'File with that URL. Relative to this file.' }),
}

const recipient = block({
  command: list(z.string(expected('a word')), wordsMax, 'a program and its arguments, such as ["/usr/bin/mail", "me"]')
    .min(1, expected('a program and its arguments'))
    .optional()
    .meta({ description: 'Program and arguments; no shell reads them. It is given JSON on standard input.' }),
  ...webKeys,
}).superRefine((keys, context) => {
  if (givenOf([keys.command, keys.url, keys['url-file']]) === 1) return
  context.addIssue({ code: 'custom', message: 'give one of command, url and url-file' })
})

const ping = block({
  ...webKeys,
  every: duration('a duration with a unit between 1s and 1d, such as 60s', 1000, 86_400_000)
    .prefault('60s')
    .meta({ description: 'Time between two pings.' }),
}).superRefine((keys, context) => {
  if (givenOf([keys.url, keys['url-file']]) === 1) return
  context.addIssue({ code: 'custom', message: 'give one of url and url-file' })
})

export const notifyBlock = block({
  ping: ping
    .optional()
    .meta({ description: 'Dead-man’s ping: a URL that is called while all is well, and only then.' }),
  'on-red': recipient.optional().meta({ description: 'Who is told, once per cause, when something is wrong.' }),
  'on-green': recipient.optional().meta({ description: 'Who is told when all is well again.' }),
  digest: amount('a time of the local day in quotes, such as "07:00"', parseMinute)
    .optional()
    .meta({ description: 'When on-red is told each day how things stand, local time.' }),
}).superRefine((keys, context) => {
  if (keys.digest === undefined || keys['on-red'] !== undefined) return
  context.addIssue({ code: 'custom', path: ['digest'], message: 'goes to on-red; say there who is told' })
})

function parseMinute(text: string): number | undefined {
  const match = /^([01]\d|2[0-3]):([0-5]\d)$/.exec(text)
  return match === null ? undefined : Number(match[1]) * 60 + Number(match[2])
}

function givenOf(values: readonly unknown[]): number {
  return values.filter((value) => value !== undefined).length
}

export function assembleStatus(base: string, { listen, hosts }: z.output<typeof statusBlock>): StatusConfig {
  const isFile = listen?.kind === 'unix'
  return { listen: isFile ? { kind: 'unix', path: resolve(base, listen.path) } : listen, hosts }
}

export function assembleNotify(base: string, keys: z.output<typeof notifyBlock>): NotifyConfig {
  const { ping, 'on-red': onRed, 'on-green': onGreen, digest } = keys
  return {
    ping: ping === undefined ? undefined : { to: webAddress(base, ping), everyMs: ping.every },
    onRed: onRed === undefined ? undefined : recipientOf(base, onRed),
    onGreen: onGreen === undefined ? undefined : recipientOf(base, onGreen),
    digestMinute: digest,
  }
}

function recipientOf(base: string, keys: z.output<typeof recipient>): Recipient {
  const [program, ...rest] = keys.command ?? []
  if (program !== undefined) return { kind: 'command', words: [program, ...rest] }
  return { kind: 'web', to: webAddress(base, keys) }
}

function webAddress(base: string, keys: { url?: string | undefined; 'url-file'?: string | undefined }): WebAddress {
  if (keys.url !== undefined) return { kind: 'url', url: keys.url }
  return { kind: 'file', path: resolve(base, keys['url-file'] ?? '') }
}
