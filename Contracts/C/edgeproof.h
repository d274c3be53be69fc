// What a contract in C sees of the chain: see Docs/contracts.md, which says of each function what it does, what it costs
// and when it fails. Numbers are little endian, as WebAssembly's are, so the structures here are what the chain writes.
#ifndef EDGEPROOF_H
#define EDGEPROOF_H

#include <stddef.h>
#include <stdint.h>

#define EP_IMPORT(name) __attribute__((import_module("edgeproof"), import_name(name)))
/// Put before a function without parameters and results: `init`, `action`, `scheduled`, `query`, `upgrade` or `retire`.
#define EP_ENTRY(name) __attribute__((export_name(name)))

typedef struct { uint8_t bytes[32]; } ep_account;
typedef struct { uint8_t bytes[32]; } ep_digest;
/// Money in its smallest unit: a number of 128 bits, the low half first.
typedef struct { uint64_t low, high; } ep_amount;

enum { EP_INITIALISE, EP_ACTION, EP_SCHEDULED, EP_QUERY, EP_CONTRACT_CALL, EP_UPGRADE, EP_RETIRE };

/// The context block, 216 bytes.
typedef struct {
    ep_account contract, caller, owner;
    uint64_t height;
    /// The block's, in milliseconds since 1970.
    uint64_t time;
    ep_amount value, balance;
    uint32_t kind, action;
    uint32_t post_length;
    uint8_t post[32];
    /// Not aligned to 8 bytes: read it by ep_gas_left.
    uint8_t gas_left[8];
    uint32_t input_length;
    uint8_t reserved[16];
} ep_context;

_Static_assert(offsetof(ep_context, kind) == 144 && offsetof(ep_context, input_length) == 196, "the context block");
_Static_assert(sizeof(ep_context) == 216, "the context block");

enum { EP_HAS_VALIDATOR = 1, EP_UPGRADE_ANNOUNCED = 2, EP_END_ANNOUNCED = 4, EP_ENDED = 8, EP_OFFERED = 16 };

/// A service's record, 232 bytes.
typedef struct {
    ep_account contract, owner;
    ep_digest code;
    ep_account validator;
    uint64_t registered_at;
    /// When what is announced can happen, in milliseconds since 1970.
    uint64_t from, until;
    ep_digest announced_code;
    uint64_t ended_at;
    uint32_t flags;
    uint32_t kind_length;
    uint8_t kind[32];
} ep_service;

_Static_assert(sizeof(ep_service) == 232 && offsetof(ep_service, flags) == 192, "the service block");

EP_IMPORT("context") void ep_read_context(ep_context *block);
EP_IMPORT("input") void ep_read_input(void *destination, uint32_t offset, uint32_t length);
EP_IMPORT("storage_get") int32_t ep_get(const void *key, uint32_t key_length, void *value, uint32_t capacity);
EP_IMPORT("storage_set") void ep_set(const void *key, uint32_t key_length, const void *value, uint32_t length);
EP_IMPORT("storage_remove") void ep_remove(const void *key, uint32_t key_length);
EP_IMPORT("transfer") int32_t ep_transfer(const ep_account *recipient, const ep_amount *amount);
EP_IMPORT("emit") void ep_emit(const void *topic, uint32_t topic_length, const void *data, uint32_t length);
EP_IMPORT("sha256") void ep_sha256(const void *bytes, uint32_t length, ep_digest *digest);
EP_IMPORT("ed25519_verify")
int32_t ep_verify(const void *key, const void *signature, const void *message, uint32_t length);
EP_IMPORT("randomness") void ep_randomness(ep_digest *digest);
EP_IMPORT("schedule") int64_t ep_schedule(int64_t time, uint32_t entry, const void *data, uint32_t length);
EP_IMPORT("call")
int32_t ep_call(const void *service, uint32_t service_length, uint32_t action, const void *data, uint32_t length,
                const ep_amount *amount, void *reply, uint32_t capacity);
EP_IMPORT("return_data") void ep_reply(const void *bytes, uint32_t length);
EP_IMPORT("fail") _Noreturn void ep_fail_bytes(const void *message, uint32_t length);
EP_IMPORT("log") void ep_log(const void *text, uint32_t length);
EP_IMPORT("validator") int32_t ep_validator(ep_account *account);
EP_IMPORT("reputation") int64_t ep_reputation(const ep_account *account, uint32_t role);
EP_IMPORT("signer") int32_t ep_signer(ep_account *account);
EP_IMPORT("service")
int32_t ep_read_service(const void *name, uint32_t name_length, ep_service *service, uint32_t capacity);
EP_IMPORT("key_insert") int32_t ep_key_insert(const void *key, uint32_t length);
EP_IMPORT("key_remove") int32_t ep_key_remove(const void *key, uint32_t length);
EP_IMPORT("key_next")
int32_t ep_key_next(const void *prefix, uint32_t prefix_length, const void *after, uint32_t after_length, void *key,
                    uint32_t capacity);

/// Ends the call with a literal for the sender; every effect is undone.
#define ep_fail(literal) ep_fail_bytes(literal, sizeof(literal) - 1)

static inline uint64_t ep_gas_left(const ep_context *context) {
    uint64_t gas;
    __builtin_memcpy(&gas, context->gas_left, 8);
    return gas;
}

#endif
