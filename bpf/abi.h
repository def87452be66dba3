/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The contract between steer.bpf.c and userspace: the values in its maps, from both sides. Included from
 * BPF C and from C++, so it holds plain C types only.
 *
 * Integers are in host order unless a comment says otherwise: maps are read by people, with
 * `bpftool map dump`. Addresses are 16 bytes in network order; IPv4 is IPv4-mapped (RFC 4291, 2.5.5.2).
 */
#ifndef NETCHANNEL_BPF_ABI_H
#define NETCHANNEL_BPF_ABI_H

#include <linux/types.h>

/*
 * Slots of the map `xsks`. Slot q below NC_MAX_QUEUES is the home slot of queue q: it holds a socket that
 * is bound to queue q, and takes the packets that arrive on q for lanes of other queues. Each further
 * lane of queue q has one of the q-th group of NC_EXTRA_LANES slots behind them.
 */
enum {
	NC_MAX_QUEUES = 64,
	NC_EXTRA_LANES = 7, /* lanes of a queue beside its home lane */
	NC_MAX_SLOTS = NC_MAX_QUEUES * (1 + NC_EXTRA_LANES),
	NC_MAX_LANES = NC_MAX_SLOTS,
	NC_MAX_ADDRESSES = 256,
	NC_MAX_PEERS = 4096,
};

/* What is done with the packets of a lane. */
enum nc_action {
	NC_ACTION_STEER = 0, /* to the lane's socket */
	NC_ACTION_PASS = 1,  /* to the kernel's stack */
	NC_ACTION_DROP = 2,
};

/* The class of a lane; the numbers of AppClass in userspace/base/stream.h. */
enum nc_class {
	NC_CLASS_THROUGHPUT = 0,
	NC_CLASS_LATENCY = 1,
	NC_CLASS_UNSET = 2, /* in `peers` only: nothing is said */
};

/* Key of `lanes`: a UDP destination port. */
typedef __u16 nc_port;

/* The queue that the socket in a slot below NC_MAX_SLOTS is bound to. */
#define NC_SLOT_QUEUE(slot) \
	((slot) < NC_MAX_QUEUES ? (slot) : ((slot) - NC_MAX_QUEUES) / NC_EXTRA_LANES)

/*
 * Value of `lanes`. Slot, class and action may be changed while traffic flows: the lane then uses the socket
 * of another lane of the same stack, both ways. A slot that holds no socket, or not one of `queue`, is an
 * error: packets go to their queue's home socket, and the stack puts the last good value back.
 */
struct nc_lane {
	__u32 slot;  /* of the lane's socket in `xsks` */
	__u32 queue; /* that this socket is bound to: NC_SLOT_QUEUE(slot) */
	enum nc_class app_class;
	enum nc_action action;
	__u32 own_slot; /* of the socket that was made for the lane; the stack's alone to write */
};

/* Key of `local_addresses`: only packets to these are ours. A router's transit traffic passes. */
struct nc_address {
	__u8 bytes[16];
};

/* Key of `peers`: longest prefix match; an IPv4 prefix of n bits has prefixlen 96 + n. */
struct nc_peer_prefix {
	__u32 prefixlen; /* bits */
	__u8 bytes[16];
};

enum nc_peer_action {
	NC_PEER_ALLOW = 0,
	NC_PEER_DENY = 1,
};

/* Value of `peers`. */
struct nc_peer {
	enum nc_peer_action action;
	enum nc_class app_class; /* of sockets to this peer that choose none; userspace reads it */
	__u32 weight;            /* of such sockets within their class, 1 to 255; 0: nothing is said */
};

/*
 * Keys of `policy`: one knob an entry, so that each is changed alone and none is ever seen half written. Values
 * are __u64; at first all are 0. Userspace reads them without a syscall, through mmap.
 */
enum nc_knob {
	NC_KNOB_GENERATION = 0,         /* raised after a change of another map, which is then seen at once */
	NC_KNOB_DENY_UNKNOWN_PEERS = 1, /* 0 or 1: peers that are not in `peers` are denied */
	NC_KNOB_CHANNEL_POLICY = 2,     /* a number of netscheduler/README.md; 0: as configured */
	NC_KNOB_RATE_THROUGHPUT = 3,    /* limit of what the class may send, bytes per second; 0: none */
	NC_KNOB_RATE_LATENCY = 4,
	NC_KNOBS,
};

/* How the program is attached; the one value of `attachment`, written by the loader for people and the stack. */
enum nc_attach_mode {
	NC_ATTACH_NONE = 0,
	NC_ATTACH_NATIVE = 1,
	NC_ATTACH_GENERIC = 2,
};

enum nc_attach_owner {
	NC_OWNER_NONE = 0,
	NC_OWNER_DISPATCHER = 1, /* libxdp's: other XDP programs may be added */
	NC_OWNER_ALONE = 2,      /* no other XDP program fits on the interface */
};

struct nc_attachment {
	enum nc_attach_mode mode;
	enum nc_attach_owner owner;
	__u32 ifindex;
	__u32 program_id; /* of our program */
	__u64 netns;      /* inode of the network namespace */
	char reason[104]; /* why not dispatcher, when it is not; zero-terminated */
};

/* Index into `counters`. Names are in nc_verdict_name(): keep both in step. */
enum nc_verdict {
	/* Not ours: the kernel's stack gets it. */
	NC_PASS_NOT_IP = 0,
	NC_PASS_NOT_UDP,
	NC_PASS_TRUNCATED, /* ends before its ports: nobody can say whose it is */
	NC_PASS_FRAGMENT,  /* a fragment without ports: not the first */
	NC_PASS_OTHER_PORT,
	NC_PASS_OTHER_ADDRESS,
	NC_PASS_LANE_ACTION,
	NC_PASS_NO_SOCKET, /* ours, and no stack is running on this queue */
	/* Ours and healthy. */
	NC_STEERED,
	NC_STEERED_HOME, /* came in on another queue than its lane's, or its lane's slot is wrong */
	/* Ours, and not wanted. */
	NC_DROP_TRUNCATED,
	NC_DROP_FRAGMENT, /* NetChannel never fragments */
	NC_DROP_BAD_LENGTH,
	NC_DROP_DENIED,
	NC_DROP_LANE_ACTION,
	NC_VERDICTS,
};

static inline const char *nc_verdict_name(enum nc_verdict verdict)
{
	switch (verdict) {
	case NC_PASS_NOT_IP:
		return "pass_not_ip";
	case NC_PASS_NOT_UDP:
		return "pass_not_udp";
	case NC_PASS_TRUNCATED:
		return "pass_truncated";
	case NC_PASS_FRAGMENT:
		return "pass_fragment";
	case NC_PASS_OTHER_PORT:
		return "pass_other_port";
	case NC_PASS_OTHER_ADDRESS:
		return "pass_other_address";
	case NC_PASS_LANE_ACTION:
		return "pass_lane_action";
	case NC_PASS_NO_SOCKET:
		return "pass_no_socket";
	case NC_STEERED:
		return "steered";
	case NC_STEERED_HOME:
		return "steered_home";
	case NC_DROP_TRUNCATED:
		return "drop_truncated";
	case NC_DROP_FRAGMENT:
		return "drop_fragment";
	case NC_DROP_BAD_LENGTH:
		return "drop_bad_length";
	case NC_DROP_DENIED:
		return "drop_denied";
	case NC_DROP_LANE_ACTION:
		return "drop_lane_action";
	case NC_VERDICTS:
		break;
	}
	return "unknown";
}

#endif /* NETCHANNEL_BPF_ABI_H */
