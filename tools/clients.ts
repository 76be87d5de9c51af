// Uses the generated types as a client does: a wrong name or type does not compile.
import type { components, operations, paths } from "./shop";

type Order = components["schemas"]["OrderView"];
type Checkout = operations["check_out_guest"]["requestBody"]["content"]["application/json"];
type Products = paths["/shop/api/products"]["get"]["responses"][200]["content"]["application/json"];

const checkout: Checkout = {
    name: "Jo Miller",
    email: "jo@example.com",
    shipping_address: { name: "Jo Miller", line1: "12 Mill Lane", postal_code: "AB1 2CD", city: "Milltown", country: "GB" },
};

export function units(order: Order): number {
    return order.lines.reduce((sum, line) => sum + line.quantity, 0);
}

export function cheapest(products: Products): string | undefined {
    return products.map((product) => product.price).sort()[0] ?? checkout.payment_method ?? undefined;
}

type Summary = components["schemas"]["Summary"];
type Quote = operations["check_out_guest"]["responses"][200]["content"]["application/json"];
type Problem = components["schemas"]["Problem"];

export function isOpen(order: Summary): boolean {
    // @ts-expect-error States are enums, so a misspelt one does not compile.
    const misspelt = order.status === "shiped";
    return order.status !== "completed" && order.status !== "cancelled" && !misspelt;
}

export function eventsOf(quote: Quote): string[] {
    return quote.events.map((event) => event.event_type);
}

export function wrongFields(problem: Problem): string[] {
    return (problem.errors ?? []).map((error) => error.field);
}
