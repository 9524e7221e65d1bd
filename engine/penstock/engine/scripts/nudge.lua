-- Wakes an idle worker if there are jobs for one: sent by one that was woken and has no room. No ARGV. Returns nothing

pass_word_on()
