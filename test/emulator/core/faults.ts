/** What shall go wrong, when and how often. Choosing is done here; doing it is the server's and the provider's work. */
import { z } from 'zod'

const when = z.enum(['before', 'after'])
const headers = z.record(z.string(), z.string())

/** Of the faults that a script names; each says what a client sees. `before`: nothing happened yet. `after`: it took effect. */
const scriptedFault = z.discriminatedUnion('do', [
  /** Any answer at all: 503 with HTML, 200 with garbage, an empty one. */
  z.strictObject({
    do: z.literal('answer'),
    when: when.default('before'),
    status: z.int().min(200).max(599),
    headers: headers.default({}),
    body: z.string().default(''),
  }),
  /** An answer in the provider's own shape, by a name from its list: throttle, expired-token, ... */
  z.strictObject({
    do: z.literal('refuse'),
    when: when.default('before'),
    name: z.string(),
    retryAfterS: z.number().min(0).optional(),
  }),
  /** The connection ends without an answer. */
  z.strictObject({ do: z.literal('cut'), when: when.default('before') }),
  /** The connection ends after so many bytes of the request's body. `keep`: the provider keeps these bytes where it could. */
  z.strictObject({ do: z.literal('cut-request'), bytes: z.int().min(0), keep: z.boolean().default(false) }),
  z.strictObject({ do: z.literal('cut-answer'), bytes: z.int().min(0) }),
  /** The body trickles. */
  z.strictObject({ do: z.literal('drip'), of: z.enum(['request', 'answer']), bytesPerSecond: z.number().positive() }),
  /** Nothing moves any more after so many bytes of the body, until the client leaves. */
  z.strictObject({ do: z.literal('stall'), of: z.enum(['request', 'answer']), bytes: z.int().min(0).default(0) }),
  z.strictObject({ do: z.literal('delay'), when: when.default('before'), ms: z.number().min(0) }),
  /** The answer comes after so many bytes of the body while the rest is still being sent. `close`: and the connection ends. */
  z.strictObject({
    do: z.literal('early'),
    bytes: z.int().min(0).default(0),
    name: z.string(),
    close: z.boolean().default(true),
  }),
  /** All access tokens of now are expired, this request's too. */
  z.strictObject({ do: z.literal('expire-token') }),
  /** All logins are revoked. */
  z.strictObject({ do: z.literal('revoke-login') }),
  /** A behaviour of the provider, by a name from its list: wrong-hash, forget-session, short-page, ... */
  z.strictObject({ do: z.literal('behave'), name: z.string(), value: z.union([z.string(), z.number()]).optional() }),
])

const matcher = {
  /** Exact, or with `*` for anything. Left out: every route. */
  route: z.string().default('*'),
  method: z.string().optional(),
  /** Only requests whose address, argument header or JSON body contains this. */
  contains: z.string().optional(),
  /** The first matching request concerned, counted from 1. */
  nth: z.int().min(1).default(1),
  /** How many matching requests from there on. */
  count: z.union([z.int().min(1), z.literal('all')]).default(1),
}

export const faultScript = z.strictObject({ ...matcher, fault: scriptedFault })

/** A fault that only a test of the same process can ask for: `work` runs at that instant, the request waits for it. */
interface CallFault {
  readonly do: 'call'
  readonly when: 'before' | 'after'
  readonly work: () => Promise<void> | void
}

export type Fault = z.output<typeof scriptedFault> | CallFault
export type FaultScript = Omit<z.input<typeof faultScript>, 'fault'> & {
  readonly fault: z.input<typeof scriptedFault> | CallFault
}

/** What is known of a request before anything was done about it. */
export interface Asked {
  readonly route: string
  readonly method: string
  /** Read only when a script wants to look into it. */
  words(): Promise<string>
}

/** A script at work. */
export interface Armed {
  /** Times it struck. */
  readonly struck: number
  /** Takes it away. */
  disarm(): void
}

class Rule implements Armed {
  readonly script: z.output<typeof faultScript>
  readonly fault: Fault
  struck = 0
  readonly #route: RegExp
  readonly #leave: (rule: Rule) => void
  #seen = 0

  constructor({ fault, ...rest }: FaultScript, leave: (rule: Rule) => void) {
    this.script = faultScript.parse({ ...rest, fault: fault.do === 'call' ? { do: 'cut' } : fault })
    this.fault = fault.do === 'call' ? fault : this.script.fault
    this.#route = new RegExp(`^${this.script.route.replace(/[.+?^${}()|[\]\\]/g, '\\$&').replaceAll('*', '.*')}$`)
    this.#leave = leave
  }

  disarm(): void {
    this.#leave(this)
  }

  async strikes(asked: Asked): Promise<boolean> {
    const { method, contains, nth, count } = this.script
    if (!this.#route.test(asked.route)) return false
    if (method !== undefined && method !== asked.method) return false
    if (contains !== undefined && !(await asked.words()).includes(contains)) return false
    this.#seen += 1
    const isDue = this.#seen >= nth && (count === 'all' || this.#seen < nth + count)
    if (isDue) this.struck += 1
    return isDue
  }
}

export class Faults {
  readonly #rules = new Set<Rule>()

  /** @throws ZodError that names the field, when the script is not one. */
  arm(script: FaultScript): Armed {
    const rule = new Rule(script, (left) => this.#rules.delete(left))
    this.#rules.add(rule)
    return rule
  }

  disarmAll(): void {
    this.#rules.clear()
  }

  get list(): readonly { readonly route: string; readonly fault: string; readonly struck: number }[] {
    return [...this.#rules].map(({ script, fault, struck }) => ({ route: script.route, fault: fault.do, struck }))
  }

  /** All that shall happen to this request. Several scripts may strike at once. */
  async of(asked: Asked): Promise<readonly Fault[]> {
    const struck: Fault[] = []
    for (const rule of this.#rules) if (await rule.strikes(asked)) struck.push(rule.fault)
    return struck
  }
}

type FaultOf<Kind extends Fault['do']> = Extract<Fault, { do: Kind }>

export function faultOf<Kind extends Fault['do']>(
  faults: readonly Fault[],
  kind: Kind,
  fits: (fault: FaultOf<Kind>) => boolean = () => true,
): FaultOf<Kind> | undefined {
  return faults.find((fault): fault is FaultOf<Kind> => fault.do === kind && fits(fault as FaultOf<Kind>))
}
