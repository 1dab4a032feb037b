/** The merge of an edit that was made while another one was under way. */

import type { MergeOnto } from "../engine/answer.ts";
import type { Body } from "../engine/records.ts";
import { merge } from "./objects.ts";
import { InvalidPoliciesError, NO_POLICIES, parsePolicies, type Policies } from "./policies.ts";

export function mergeOntoWith(policies: Policies): MergeOnto {
  return (base, state, mine) => {
    const { value, conflicts } = merge(base ?? {}, state, mine, { policies, explicitBase: true });
    return { doc: value as Body, conflicts };
  };
}

/** As a server declares them. Words that only a newer server knows are left to the server. */
export function mergeOntoDeclared(declaration: unknown): MergeOnto {
  try {
    return mergeOntoWith(parsePolicies(declaration));
  } catch (error) {
    if (error instanceof InvalidPoliciesError) return mergeOntoWith(NO_POLICIES);
    throw error;
  }
}
