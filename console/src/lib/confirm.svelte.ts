import type { Count } from './api.ts'

export interface Question {
  /** "Delete dead letters?" */
  title: string
  /** What happens, in a sentence. */
  text?: string
  /** How many are touched, and what they are called: `['dead letter', 'dead letters']`. Counted while it asks. */
  count?: number | Promise<Count>
  noun?: readonly [one: string, many: string]
  /** The word on the button: what is done. */
  action: string
  /** What it destroys cannot be had back. */
  danger?: boolean
}

/** Asks before something is done; the shell shows the question. */
class Confirmation {
  asked = $state.raw<Question | undefined>(undefined)
  #answer: ((yes: boolean) => void) | undefined

  ask(question: Question): Promise<boolean> {
    this.answer(false)
    this.asked = question
    return new Promise((resolve) => (this.#answer = resolve))
  }

  answer(yes: boolean): void {
    this.#answer?.(yes)
    this.#answer = undefined
    this.asked = undefined
  }
}

export const confirmation = new Confirmation()
export const confirm = (question: Question) => confirmation.ask(question)
