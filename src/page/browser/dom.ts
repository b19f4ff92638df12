/** Elements: made from words, changed only where they differ, lists kept in step with what they show. Text never becomes markup. */
import { showDuration } from '../../base/units.ts'

type Attributes = Readonly<Record<string, string | boolean>>
type Child = Node | string

export function el<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  attributes: Attributes = {},
  ...children: readonly Child[]
): HTMLElementTagNameMap[K] {
  const element = document.createElement(tag)
  for (const [name, value] of Object.entries(attributes)) attribute(element, name, value)
  element.append(...children)
  return element
}

export function svg(tag: string, attributes: Attributes = {}, ...children: readonly Child[]): SVGElement {
  const element = document.createElementNS('http://www.w3.org/2000/svg', tag)
  for (const [name, value] of Object.entries(attributes)) attribute(element, name, value)
  element.append(...children)
  return element
}

/** What is as it should be is left alone: a change costs a layout, and a screen reader may speak of it. */
export function attribute(element: Element, name: string, value: string | boolean): void {
  if (value === false) element.removeAttribute(name)
  else if (element.getAttribute(name) !== String(value)) element.setAttribute(name, value === true ? '' : value)
}

export function say(element: Element, text: string): void {
  if (element.textContent !== text) element.textContent = text
}

/** Says it, or hides the element where there is nothing to say. */
export function sayIf(element: HTMLElement, text: string | null): void {
  if (element.hidden !== (text === null)) element.hidden = text === null
  say(element, text ?? '')
}

export function width(element: HTMLElement, share: number): void {
  const percent = `${(Math.min(1, Math.max(0, share)) * 100).toFixed(1)}%`
  if (element.style.width !== percent) element.style.width = percent
}

/** An element of the page's own markup. */
export function found(id: string): HTMLElement {
  const element = document.getElementById(id)
  if (element === null) throw new Error(`the page has no element "${id}"`)
  return element
}

/** What shows one entry of a list. */
export interface View<T> {
  readonly element: Element
  show(entry: T): void
}

/** A list that follows its entries: what stays is changed in place, so that focus, scrolling and open details stay as well. */
export class Listing<T> {
  readonly #parent: Element
  readonly #keyOf: (entry: T) => string
  readonly #make: (entry: T) => View<T>
  #views = new Map<string, View<T>>()

  constructor(parent: Element, keyOf: (entry: T) => string, make: (entry: T) => View<T>) {
    this.#parent = parent
    this.#keyOf = keyOf
    this.#make = make
  }

  show(entries: readonly T[]): void {
    const views = new Map<string, View<T>>()
    for (const entry of entries) {
      const key = this.#keyOf(entry)
      const view = this.#views.get(key) ?? this.#make(entry)
      view.show(entry)
      views.set(key, view)
    }
    for (const [key, { element }] of this.#views) if (!views.has(key)) element.remove()
    let at = this.#parent.firstElementChild
    for (const { element } of views.values()) {
      if (element === at) at = at.nextElementSibling
      else this.#parent.insertBefore(element, at)
    }
    this.#views = views
  }
}

/** `1,204`, as the reader writes numbers. */
export function count(amount: number): string {
  return amount.toLocaleString()
}

/** In whole seconds, since tenths only flicker. */
export function wholeSeconds(ms: number): string {
  return showDuration(Math.max(1, Math.floor(ms / 1000)) * 1000)
}

/** `1 file`, `2 files`. */
export function counted(amount: number, word: string): string {
  return `${count(amount)} ${word}${amount === 1 ? '' : 's'}`
}
