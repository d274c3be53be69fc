// Tally: a vote in C, the smallest contract that shows how one is written without an SDK.
//
//   action 256, data: a choice of 1 to 32 bytes    counts the caller's vote; who votes again changes it
//   query, argument: a choice                       how many votes it has, as 8 bytes, the low one first
//
// Storage: "n/" + choice -> votes, 8 bytes; "v/" + account -> the choice that the account voted for.
#include "../C/edgeproof.h"

enum { LONGEST_CHOICE = 32, VOTE = 256 };

typedef struct {
    uint8_t bytes[2 + LONGEST_CHOICE];
    uint32_t length;
} key;

static key key_of(char prefix, const uint8_t *bytes, uint32_t length) {
    key made = {{(uint8_t)prefix, '/'}, 2 + length};
    for (uint32_t i = 0; i < length; i++) made.bytes[2 + i] = bytes[i];
    return made;
}

static uint64_t votes(const key *choice) {
    uint64_t count = 0;
    ep_get(choice->bytes, choice->length, &count, sizeof count);
    return count;
}

static void set_votes(const key *choice, uint64_t count) {
    if (count == 0) {
        // What nobody needs any more gives its deposit back.
        ep_remove(choice->bytes, choice->length);
    } else {
        ep_set(choice->bytes, choice->length, &count, sizeof count);
    }
}

/// The input, which must be a choice.
static key read_choice(const ep_context *context) {
    uint8_t bytes[LONGEST_CHOICE];
    if (context->input_length == 0) ep_fail("a choice is missing");
    if (context->input_length > LONGEST_CHOICE) ep_fail("a choice has at most 32 bytes");
    ep_read_input(bytes, 0, context->input_length);
    return key_of('n', bytes, context->input_length);
}

EP_ENTRY("action") void action(void) {
    ep_context context;
    ep_read_context(&context);
    if (context.action != VOTE) ep_fail("the only action is 256, vote");
    if (context.value.low != 0 || context.value.high != 0) ep_fail("this contract takes no money");
    key choice = read_choice(&context);
    key voter = key_of('v', context.caller.bytes, sizeof context.caller.bytes);
    uint8_t before[LONGEST_CHOICE];
    int32_t length = ep_get(voter.bytes, voter.length, before, sizeof before);
    if (length > 0) {
        key old = key_of('n', before, (uint32_t)length);
        set_votes(&old, votes(&old) - 1);
    }
    ep_set(voter.bytes, voter.length, choice.bytes + 2, choice.length - 2);
    set_votes(&choice, votes(&choice) + 1);
    ep_emit("vote", 4, choice.bytes + 2, choice.length - 2);
}

EP_ENTRY("query") void query(void) {
    ep_context context;
    ep_read_context(&context);
    key choice = read_choice(&context);
    uint64_t count = votes(&choice);
    ep_reply(&count, sizeof count);
}
