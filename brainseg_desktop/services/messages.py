"""Every sentence the program says about something the user can mend, and about how a file was understood.

A sentence says what happened, which file, and what to do. Core, io and services raise codes only; the window
and the command line both take their words from here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from brainseg_desktop.core.errors import UserError
from brainseg_desktop.services.language import tr

SENTENCES: dict[str, str] = {
    # Reading
    "file_missing": "{path} does not exist. Check the path.",
    "file_unreadable": (
        "{path} cannot be read ({reason}). Check its permissions, or copy it to another folder."
    ),
    "file_truncated": "{path} is cut short. Copy or download it again.",
    "not_nifti": "{path} is not a NIfTI file ({reason}). Choose a .nii or .nii.gz file.",
    "image_part_missing": "{path} needs {missing} beside it. Copy both files into the same folder.",
    "image_4d": (
        "{path} holds {count} volumes ({shape}). Say which one: --volume 1 to {count}, or choose it in the "
        "window."
    ),
    "not_nrrd": "{path} is not an NRRD image that can be read here ({reason}). Save it again as .nrrd.",
    "nrrd_space": (
        "{path} states its place in the space {space}, which does not tell left from right. Save it in "
        "left-posterior-superior."
    ),
    "image_flat": "{path} is no volume: its size is {shape}, without three axes in space. Choose a volume.",
    "picture_axes": (
        "{path} holds pictures, which state no sides: slices are taken to run upwards, rows to the back and "
        "columns to the patient's left."
    ),
    "spacing_not_given": (
        "{path} states no voxel size, so nothing is given in mm or mL. Say it with --spacing-mm, or in the "
        "window."
    ),
    "spacing_given": "{path}: voxels of {spacing} mm, as you said.",
    "spacing_impossible": "A voxel size of {spacing} mm cannot be. Give three sizes in mm, such as 1,1,1.",
    "folder_unreadable": "{path} cannot be listed and was left out. Check its permissions.",
    "volume_outside": "{path} has no volume {volume}. Choose one from 1 to {count}.",
    "volume_single": "{path} holds one volume only, which was opened.",
    "volume_chosen": "{path}: volume {volume} of {count}.",
    "units_converted": "{path} states its lengths in {unit}; they were turned into millimetres.",
    "sform_against_qform": (
        "{path} states two places in space (sform and qform) that lie up to {apart_mm} mm apart. The sform "
        "was taken, as most programs do; check the sides and the position."
    ),
    "position_unstated": (
        "{path} states no directions. It is shown as such files usually lie: check left and right."
    ),
    "image_too_large": (
        "{path} is too large to be read here, or its header is damaged. Export a smaller part of it."
    ),
    "image_empty": "{path} holds no voxels. Export it again.",
    "image_not_grey": "{path} holds no grey values ({kind}). Choose a grey-scale image.",
    "image_not_finite": (
        "{path}: {count} voxels are not numbers (NaN or infinite) and are shown as background."
    ),
    "bad_affine": "{path} states no usable position in space (its affine is singular). Export it again.",
    # Cases
    "case_empty": "{name} has no images. Choose a folder with T1, T1CE, T2 or FLAIR images.",
    "case_not_found": (
        "{path} holds no case. Choose a folder with T1, T1CE, T2 or FLAIR images, DICOM, or LGG slices."
    ),
    "folder_of_cases": "{path} holds {count} cases ({cases}). Choose one of them.",
    "sequence_claimed_twice": "{names} all seem to be {sequence}. Say which one is.",
    "sequence_unnamed": (
        "The name of {path} does not tell the sequence. Open it with --t1, --t1ce, --t2 or --flair, "
        "or say it in the dialog."
    ),
    "sequences_unassigned": "The names {names} do not tell the sequence. Say which is T1, T1CE, T2 or FLAIR.",
    "whole_folder_taken": "{path} is one slice of a stack; its whole folder was opened.",
    "mask_grid_mismatch": (
        "The mask {path} does not lie on the grid of the images: {reason} differs. It was left out; "
        "resample it to the images first."
    ),
    "slice_missing": "{path} lacks the {what} with number {numbers}. Add the missing files.",
    "slice_unreadable": "{path} cannot be read as a picture ({reason}). Copy or download it again.",
    "slice_channels": (
        "{path} should have three channels (T1, FLAIR, T1CE), but its size is {shape}. Choose another folder."
    ),
    "slice_shape": "{path} has {shape} pixels, the other slices {expected}. Take it out, or export it again.",
    "slice_not_binary": "{path} is not a mask of two values. Export it again as 0 and 255.",
    "channel_is_copy": "{path}: the {sequence} channel is a copy of {of}, a known defect of this data set.",
    "scheme_by_slices": "{path} is read as {scheme}: its slices hold one label.",
    "grid_mismatch": (
        "{path} ({sequence}) does not lie on the grid of the other sequences: {reason} differs. "
        "Register and resample it to them first."
    ),
    "scheme_given": "{path} is read as {scheme}, as you said.",
    "scheme_by_name": "{path} is read as {scheme}, because of the name {name}.",
    "scheme_by_sidecar": "{path} is read as {scheme}, as its sidecar says.",
    "scheme_by_values": "{path} is read as {scheme}: the labels {values} leave no other meaning.",
    "scheme_empty_mask": "{path} marks nothing; {scheme} is assumed.",
    "scheme_unknown": "There is no label scheme {name}. Use one of {known}.",
    "scheme_ambiguous": (
        "{path} holds the labels {values}, which {candidates} understand differently. Say which: --scheme, "
        "or choose it in the dialog."
    ),
    "scheme_cannot_hold": "The scheme {scheme} has no number for {tissues}. Choose another scheme.",
    "label_outside_scheme": (
        "{path} holds the labels {values} outside the scheme {scheme}. Choose another scheme or file."
    ),
    "label_not_whole": (
        "{path} does not hold labels (its values run from {low} to {high}). Choose a mask, not an image."
    ),
    "mask_not_finite": "{path}: {count} voxels of this mask are not numbers. Save the mask again.",
    "masks_differ_in_shape": (
        "The masks do not fit each other: {reference} and {mask} voxels. Compare masks of one image."
    ),
    # DICOM
    "dicom_damaged": "{path} is damaged and cannot be understood as DICOM. Copy or download it again.",
    "dicom_too_large": (
        "{path} claims to be larger than any exam of a head, so it is not read. Copy or export it again."
    ),
    "dicom_no_pixels": "{path} holds no picture. Copy or export it again.",
    "dicom_size_differs": (
        "{path} has another size than its header or the other slices say. Copy or export it again."
    ),
    "dicom_codec_unknown": (
        "{path} is compressed in a way that cannot be read here ({syntax}). Export it uncompressed."
    ),
    "dicom_files_damaged": (
        "{count} DICOM files are damaged and were left out, the first is {path}. Copy or export them again."
    ),
    "dicom_links_left_out": "{count} links in {path} lead out of the folder and were not followed.",
    "dicom_folder_large": "Only the first {count} files in {path} were looked at. Choose a part of it.",
    "dicomdir_leads_outside": (
        "{path} lists {count} files outside its own folder. They were not read; copy the whole disc again."
    ),
    "dicomdir_files_missing": "{path} lists {count} files that are not there. Copy the whole disc again.",
    "dicomdir_empty": (
        "{path} lists no file that is there. Choose the folder of the images, or copy the whole disc again."
    ),
    "neighbours_taken": (
        "{path} belongs to the case {name}, which was opened with it. Case > Open files... opens a file "
        "alone."
    ),
    "mask_alone": (
        "{path} is a mask without its images. Open the images first, then drop the mask onto the window."
    ),
    "whole_exam_taken": "{path} is one file of an exam; the whole exam was opened.",
    "series_unassigned": (
        "{name}: none of its {count} series tells that it is T1, T1CE, T2 or FLAIR. Open it in the window "
        "and say which is."
    ),
    "series_taken": "{why} So {series} ({description}) is taken as {sequence}.",
    "series_off_grid": (
        "{sequence} lies on another grid than {masks_on} ({reason} differs): it is shown at its own place in "
        "mm, but not given to the network."
    ),
    "series_other_frame": (
        "{sequence} was measured in another frame of reference than {masks_on}: the patient may have moved "
        "in between. It is shown where its headers say, and not given to the network."
    ),
    "series_no_place": (
        "The slices of {series} do not say where they lie, so they make no volume. Export the series again."
    ),
    "series_slices_missing": (
        "{count} slices of {series} are missing, the first behind slice {after}. Copy the whole series again."
    ),
    "series_uneven": (
        "The slices of {series} lie at uneven distances ({low} to {high} mm). Export it again, or "
        "resample it."
    ),
    "series_sheared": (
        "The slices of {series} are {degrees} degrees out of line with one another. Export it reformatted."
    ),
    "series_copies": "{count} slices of {series} lie where another one does and were left out.",
    "series_padded": "{count} voxels of {series} are marked as empty and are shown as background.",
    "series_inverted": "{series} is stored with bright and dark swapped; it was turned round.",
    "series_screenshot": "A screenshot (secondary capture), not the measured image.",
    "series_no_image": "No image, but {kind}.",
    "series_colour": "A coloured picture, not grey values.",
    "series_not_mr": "{kind}, not MR.",
    "series_projection": "A projection or thick reformat, not the measured slices.",
    "series_mosaic": "Several slices tiled into one picture (mosaic).",
    "series_localiser": "A localiser.",
    "series_few_slices": "Too few slices for a volume: {count}.",
    "series_many_volumes": "{count} volumes in one series (diffusion, perfusion or function).",
    # Which sequence a series is
    "sequence_by_words": "Its description says so ({said}).",
    "sequence_by_agent": "T1-weighted, and a contrast agent was given: {agent}.",
    "sequence_by_times": "Its times say so: {times}.",
    "sequence_is_other": "It is {kind}: {said}.",
    "sequence_taken": (
        "Also looks like {sequence}, but {other} has more or finer slices, or is the original."
    ),
    "sequence_unclear": "Nothing in its headers tells the sequence. Look at the picture.",
    "sequence_by_bright_fluid": "Its headers are silent; the fluid is bright, as on T2.",
    "sequence_follows_t2": (
        "Its headers are silent; it is bright where T2 is, but for the fluid (correlation {likeness}), "
        "as FLAIR."
    ),
    "sequence_against_t2": (
        "Its headers are silent; it is not bright where T2 is (correlation {likeness}), as T1."
    ),
    "sequence_enhances": (
        "Its headers name no contrast agent, but single places are brighter than on {other}."
    ),
    # Archives (PACS)
    "pacs_field": "The {field} of the archive cannot be used: {reason}.",
    "pacs_date": "{text} is no date. Write it as 2026-01-31.",
    "pacs_query": "The {field} asked for holds signs that no archive understands. Take them out.",
    "pacs_node_unknown": (
        "There is no archive {name}. Use one of those set up ({known}), host:port/AETITLE or a DICOMweb URL."
    ),
    "pacs_host_unknown": (
        "{node}: no computer is called {host}. Check the host's spelling and that the network is up."
    ),
    "pacs_refused": (
        "{node}: nothing answers at {host}, port {port}. Check the port and that the archive is running."
    ),
    "pacs_timeout": (
        "{node}: {host}, port {port}, did not answer in time. Check the address and the firewall."
    ),
    "pacs_unreachable": "{node}: {host}, port {port}, cannot be reached. Check the address and the network.",
    "pacs_tls": (
        "{node}: no encrypted connection could be made ({reason}). Check the TLS setting and the CA file."
    ),
    "pacs_ca_file": "{node}: {path} holds no certificates. Choose a CA file in PEM form.",
    "pacs_called_title": (
        "{node} does not answer to the AE title {title}. Ask for its right title, with capitals as they are."
    ),
    "pacs_calling_title": (
        "{node} does not know this computer as {title}. Have the title entered there, or change your own."
    ),
    "pacs_rejected": "{node} turned the connection down. Try again, or ask who looks after it.",
    "pacs_no_greeting": (
        "{node}: something answers at {host}, port {port}, but it does not speak DICOM as expected. Check "
        "the port and the TLS setting."
    ),
    "pacs_no_service": "{node} does not offer this service to this computer. Ask who looks after it.",
    "pacs_broken": "{node} broke off the connection, or stopped answering. Try again.",
    "pacs_silent": "{node} stopped answering. Try again later.",
    "pacs_failed": "{node} could not do it (DICOM status {status}). Try again, or ask who looks after it.",
    "pacs_http": "{node} could not do it (HTTP status {status}). Try again, or ask who looks after it.",
    "pacs_move_destination": (
        "{node} does not know where to send to {title}. Have this computer entered there with its address "
        "and port, or set the receive port to 0 to retrieve without it."
    ),
    "pacs_nothing_there": "{node} sent nothing: the exam is no longer there, or may not be seen from here.",
    "pacs_some_failed": "{node} could not send {count} of the images. Retrieve the exam again.",
    "pacs_port_taken": (
        "Port {port} at {address} cannot be listened at; another program may use it. Choose another port."
    ),
    "pacs_no_address": "This computer has no address {address}. Choose one of its own, or 0.0.0.0 for all.",
    "pacs_too_large": "An image of {size_mb} MB is more than is taken from a network. It was refused.",
    "pacs_malformed": "Something was sent that is no DICOM image. It was refused.",
    "pacs_other_study": "An image of another exam was sent than was asked for. It was refused.",
    "pacs_not_dicom": "{path} is not a DICOM file that can be sent. Choose another one.",
    "pacs_not_accepted": "{node} does not take files of the kind of {path}, or not with its compression.",
    "pacs_store_refused": "{node} did not take {path} (status {status}). Ask who looks after the archive.",
    "pacs_too_many_kinds": "The files are of {count} kinds; at most 128 go at once. Send fewer files.",
    "pacs_login": "{node} did not accept user and password, or the token. Enter them again.",
    "pacs_login_needed": "{node} wants a login. Enter user and password, or the token.",
    "pacs_login_plain": (
        "{node} would get the password unprotected, since its URL begins with http. Use an https address."
    ),
    "pacs_not_dicomweb": "{node} does not answer as DICOMweb does. Check the path of its URL.",
    "pacs_no_keyring": (
        "This computer has no keyring that can keep the password, so it was not kept: it is asked for again."
    ),
    "pacs_cancelled": "The connection to the archive was cancelled.",
    # Writing
    "disk_full": (
        "There is no room left to write {path}. Free some space and try again; the old file is unchanged."
    ),
    "no_permission": "{path} may not be written. Choose another folder, or change its permissions.",
    "home_unkept": (
        "Nothing can be kept in {path} ({reason}): neither settings nor the journal that saves strokes from "
        "a crash. You can work all the same; export each mask before you close the window."
    ),
    "report_format": "{path} does not end in .pdf or .html. Choose a name that does.",
    "chart_format": "{path} does not end in .png or .svg. Choose a name that does.",
    "write_failed": (
        "{path} could not be written ({reason}). Choose another folder; the old file is unchanged."
    ),
    "display_broken": (
        "The windows and measurements kept for this case could not be read ({reason}). The case starts with "
        "the usual ones; the old file is kept as {path}."
    ),
    "peer_missing": "{name} is not installed here. Run make bench-{name}, or name its Python with --peer.",
    "sequence_off_grid": (
        "{path} ({sequence}) lies on another grid than {masks_on} ({reason} differs): it is shown at its own "
        "place in mm, but not given to the network. Case, Align sequences... brings it to them."
    ),
    "sequences_off_grid": (
        "{sequences} lie on other grids than {masks_on}: they are shown at their own places in mm, but not "
        "given to the network. Case, Align sequences... brings them together."
    ),
    "place_unknown": (
        "{path} ({sequence}) lies on another grid than {masks_on} ({reason} differs), and the headers do not "
        "say how the two lie to each other. Export both again with their positions, or resample it to "
        "{masks_on}."
    ),
    "network_inputs_off_grid": (
        "The network needs {wanted}. This exam has {off_grid}, but on another grid than its masks, where the "
        "network cannot use it. Bring it to the others (Case, Align sequences..., or --align headers), or "
        "choose another network."
    ),
    # Bringing sequences together
    "sequence_resampled": (
        "{sequence} lies on another grid than {reference}: the network gets it resampled where its header "
        "puts it. The file and its view stay as measured."
    ),
    "sequence_registered": (
        "{sequence} was moved by {shift_mm} mm and turned by {angle_degrees} degrees to lie on {reference}. "
        "The file stays as measured."
    ),
    "alignment_partial": (
        "{sequence} covers only {percent} % of {reference}: outside of it the network sees background."
    ),
    "alignment_apart": (
        "{sequence} shows hardly any of what {reference} shows, so the two cannot be brought together. Check "
        "that both are of the same head and visit."
    ),
    "alignment_far": (
        "{sequence} would be moved by {shift_mm} mm and turned by {angle_degrees} degrees: more than a head "
        "moves between two sequences. The place of the header is kept; check that both are of the same head."
    ),
    "alignment_worse": (
        "The registration found no better place for {sequence} than its header says. That place is kept."
    ),
    "alignment_constant": (
        "A sequence has the same value in all voxels, or none that is a number, so it cannot be registered. "
        "Check the file."
    ),
    "alignment_no_overlap": (
        "The two sequences share no part of the head, so they cannot be registered. Check that both are of "
        "the same head."
    ),
    "alignment_no_spacing": (
        "The files state no voxel size, so sequences cannot be brought together in mm. Use files with a "
        "voxel size."
    ),
    "alignment_died": (
        "The registration's process ended unexpectedly. Nothing was changed. Try again; if it happens again, "
        "close other programs to free memory."
    ),
    "alignment_hung": "The registration gave no sign of life and was stopped. Nothing was changed. Retry.",
    # What the networks do not know
    "outside_not_mr": ("{sequence} is {modality} and not MR, and the network knows MR only."),
    "outside_few_slices": (
        "The exam has {n} slices of {thickness_mm} mm; the network learnt from whole heads. Its mask may be "
        "wrong; check every slice."
    ),
    "outside_small": (
        "The images show {size_mm} mm at their widest, less than a head ({least_mm} mm). Its mask may be "
        "wrong; check every slice."
    ),
    "outside_large": (
        "What is bright measures {size_mm} mm, more than a head: check the voxel size in the files. The "
        "network's mask may be wrong."
    ),
    "outside_voxels": (
        "The voxels measure {spacing_mm} mm, far from what the network learnt from. Its mask may be wrong; "
        "check every slice."
    ),
    "outside_inverted": (
        "{sequence} is brighter around the head than in it, as if its greys were inverted. The network's "
        "mask may mean nothing; check the file."
    ),
    "outside_no_head": (
        "The network found no head in {sequence}: it is noise, nearly empty, or fills the whole image. Its "
        "mask may mean nothing; check the file."
    ),
    "outside_greys": (
        "{sequence} has only {n} different grey values, like a mask and not like an image. The network's "
        "mask may mean nothing; check the file."
    ),
    "outside_few_sequences": (
        "The network sees only {present}: with a single sequence its mask is less to be trusted."
    ),
    "outside_hopeless": "The network was not run, as its mask would mean nothing. {reason} Check the files.",
    "masks_too_few": "Agreement needs the masks of two readers or more; {n} was given. Name more files.",
    "consensus_too_few": "A consensus needs two masks or more; {n} was chosen. Tick more masks.",
    "consensus_schemes": (
        "The masks of {raters} do not share a label scheme that holds all their labels, so they cannot be "
        "fused. Leave out those with other labels."
    ),
    # Studies
    "study_without_masks": (
        "{name} has no finished masks to measure. Lock readings first, or name a folder with masks."
    ),
    "masks_not_found": (
        "{path} holds no masks of readers. Choose a folder with one folder a reader, or one folder a case."
    ),
    "masks_of_one_reading": (
        "{names} all seem to be the mask of {case} by {rater}. Rename them, or take one out."
    ),
    "readers_too_few": (
        "A consensus of {case} needs the masks of two readers; {n} can be used. Add masks, or leave it out."
    ),
    "measuring_cancelled": "The study was not measured to the end. What was measured is kept: start again.",
    "mask_changed": (
        "{path} is not the file it was when the study was read: it was changed meanwhile. It was left out; "
        "measure again."
    ),
    "rating_off_grid": (
        "The mask {path} does not lie on the grid that the masks of {case} share: {reason} differs. It was "
        "left out; resample it first."
    ),
    "case_not_measured": (
        "{case} could not be measured: its process was ended twice, perhaps for want of memory. It was left "
        "out; close other programs and measure again."
    ),
    "case_failed": (
        "{case} could not be measured ({reason}). It was left out; measure again, and report it if it stays."
    ),
    "audit_missing": (
        "{path} has no record of changes beside it: it was not exported by this program, was started "
        "elsewhere, or was changed since. Export it again from the window."
    ),
    "destination_not_nifti": "{path} does not end in .nii or .nii.gz. Choose a name that does.",
    "would_overwrite_input": (
        "{path} is an image or a reference of this case and is kept. Choose another name."
    ),
    "export_differs": (
        "{path} was not saved: read back, it was not what was to be written ({reason}). The old file is "
        "unchanged; try again, or choose another disk."
    ),
    # Studies
    "study_missing": "{path} holds no study (there is no study.toml). Choose the folder of a study.",
    "study_exists": "{path} holds a study already. Choose an empty folder.",
    "study_broken": "{path} cannot be understood ({reason}). Bring back the file as it was, from a backup.",
    "study_newer": "{path} was made by a newer version of this program. Update the program.",
    "study_invalid": "The study {name} cannot be carried out: {reason}. Change it.",
    "study_reader_unknown": "There is no reader {reader} in this study. Choose one of {known}.",
    "study_reader_elsewhere": (
        "{reader} has this study open on {host} since {since}. Close it there first: two programs would "
        "overwrite each other's readings."
    ),
    "claim_held": "{path} is in use on {host} since {since}. Close the program there first.",
    "claim_lost": (
        "{path} is not held by this program any more: another one took it over, or the folder is gone. "
        "Nothing was written there, and your strokes are kept on this machine. Close the study and open it "
        "again."
    ),
    "study_case_missing": "The case {case} is not at {path} any more. Bring it back, or mend study.toml.",
    "study_cases_share_folder": (
        "{path} holds the files of several cases. A study needs a folder for each: move them apart."
    ),
    "study_not_finished": (
        "{open} of {all} readings are not locked yet. Finish them, or unblind early: what is locked later "
        "is then marked as not blind."
    ),
    "study_blinded": (
        "{study} is blinded: {open} of {all} readings are not locked yet. Masks of others and scores are "
        "shown after unblinding."
    ),
    "blinded_mask": (
        "{path} belongs to the readings of the blinded study {study} and is not shown before it is unblinded."
    ),
    "blinded_case": (
        "{path} is a case of the blinded study {study}. Open the study and read it there; alone it can be "
        "opened after unblinding."
    ),
    "inside_ratings": (
        "{path} lies among the readings of a study, which only the study writes. Choose another folder."
    ),
    "study_start_missing": (
        "Readings of this study start from the network's mask, and that of {case} is not there yet. Whoever "
        "looks after the study has the network outline the cases first (Study, Outline cases)."
    ),
    "reading_blinded": (
        "This reading is blinded: no other mask may come in before it is unblinded. Lock the reading first."
    ),
    "mask_locked": "This reading is locked; its mask cannot be changed any more.",
    "reading_locked": "The reading {path} is locked and was not changed.",
    "reading_not_locked": "{path} is not locked yet.",
    "reading_mask_missing": "The mask {path} is missing.",
    "reading_sidecar_missing": "{path} has no record beside it (.json), so nobody knows how it was made.",
    "reading_sidecar_broken": (
        "The record {path} cannot be understood ({reason}). Bring it back from a backup, or delete it to "
        "read the case again."
    ),
    "reading_seal_broken": "The record beside {path} was changed by hand since the program wrote it.",
    "reading_mask_changed": "The mask {path} was changed since the program wrote it.",
    "reading_images_changed": "The images under {path} were changed since it was drawn: {sequences}.",
    # Recovery
    "journal_in_use": "{path} is being written by another running BrainSeg. Close that first.",
    "journal_newer": (
        "{path} was written by a newer version of this program, so its strokes cannot be restored here. "
        "It is kept where it is: update the program to bring them back."
    ),
    "sidecar_newer": (
        "{path} was written by a newer version of this program, which may mean something else by it. Update "
        "the program to open its mask; nothing was changed."
    ),
    "journal_damaged": "{path} cannot be read, so its strokes cannot be restored. It is kept where it is.",
    "journal_other_images": (
        "The strokes kept for {case} were drawn on other images than those of {opened}. "
        "Open the original images."
    ),
    "output_name_taken": (
        "Two cases are called {name}, and {path} is already written. Use another -o for one of them."
    ),
    "like_not_slices": "{path} is no folder of slices, which tif masks are named after. Use --to nifti.",
    "reference_missing": "{name} has no reference mask beside its images. Add one, or leave the case out.",
    "format_not_offered": "Masks cannot be exported as {format}. Use one of {known}.",
    "form_needs_dicom": (
        "The images of {name} did not come from DICOM, so there is no series that a DICOM segmentation could "
        "refer to. Open the DICOM exam and export from there."
    ),
    "form_needs_spacing": (
        "The images of {name} state no spacing, so nothing can be written in millimetres. Choose TIFF, PNG "
        "or COCO, or open images with a spacing."
    ),
    "nothing_marked": "The mask of {name} marks nothing, so it has no surface. Choose another form.",
    "destination_not_form": "{path} cannot be the name for {form}. Choose one that ends in {suffixes}.",
    "destination_not_folder": "Several masks go into a folder, but {path} is a file. Name a folder.",
    "no_masks_here": "{path} has no mask beside its images. Make or load one first.",
    "dicom_source_missing": (
        "{path} is gone: a DICOM segmentation refers to the series it was drawn on. Bring the exam back."
    ),
    "dicom_source_changed": (
        "{path} is no more what the case was read from ({reason}). Open the exam again and export anew."
    ),
    "seg_not_written": (
        "No DICOM segmentation can refer to the series in {path} ({reason}). Choose NIfTI or another form."
    ),
    "seg_unusable": "{path} cannot be read as a DICOM segmentation ({reason}). Export it again as DICOM SEG.",
    "nrrd_unusable": "{path} cannot be read as a mask ({reason}). Save it again as .seg.nrrd or NIfTI.",
    "segments_overlap": (
        "Segments of {path} overlap in {count} voxels, and a voxel has one label here. Save it with "
        "segments that do not overlap."
    ),
    "segments_alike": "{path} has two segments for one tissue. Merge them where they were drawn.",
    "segments_mixed": (
        "{path} has tissues that no label scheme holds together. Save a file with the parts of the tumour, "
        "or with the whole of it."
    ),
    "scheme_by_segments": "{path} is read by the names and codes of its segments.",
    "output_is_file": "{path} is a file, not a folder. Name a folder with -o.",
    # The program itself
    "resource_missing": "{path} is missing from this installation. Install the program again.",
    "guide_page_broken": "{path} of the user guide cannot be shown ({reason}). Install the program again.",
    "settings_broken": (
        "The settings could not be read ({reason}). Defaults are used; the old file is kept as {path}."
    ),
    "language_missing": (
        "There is no catalogue for the language {language}, so the texts are English. Choose another "
        "language in the settings, or put its catalogue back."
    ),
    "language_broken": (
        "The catalogue {path} cannot be read ({reason}), so the texts are English. Make it again from its "
        ".po file."
    ),
    "settings_partly_broken": (
        "Some settings could not be read ({reason}) and are as at first; the others are as you left them. "
        "The old file is kept as {path}."
    ),
    "keys_unusable": (
        "Keys that were set for {names} cannot be used and were left out. Set them anew in Settings."
    ),
    "folder_gone": "{path} is not there. Choose another folder, or connect the drive or share it lies on.",
    "folder_read_only": "Nothing can be written into {path} ({reason}). Choose another folder.",
    "folder_full": "There are only {free_mb} MB free where {path} lies. Free some space.",
    "folder_not_shown": "The file manager could not be opened. The folder is {path}.",
    "no_display": (
        "There is no display to open a window on. Use brainseg segment and brainseg compare, "
        "or set DISPLAY to an X server."
    ),
    "extra_missing": "This needs {package}. Install it with: pip install 'brainseg-desktop[{extra}]'",
    "no_sequences_given": "Nothing to segment. Name a case folder, or give --t1, --t1ce, --t2 or --flair.",
    "sequences_and_cases": "Give either case folders or --t1, --t1ce, --t2, --flair, not both.",
    # Many cases
    "case_given_up": (
        "{name} was given up: its process ended each time it was tried, perhaps for want of memory. The "
        "other cases were done; close other programs and run again with --resume."
    ),
    "case_bug": (
        "{name} could not be outlined ({reason}). The other cases were done; report it if it stays."
    ),
    "record_not_written": (
        "The masks are written, but {path} is not whole: {reason} Cases that it does not name are done again "
        "with --resume."
    ),
    "scheduler_unreachable": (
        "No Dask scheduler answers at {address} ({reason}). Check the address, and that it runs the same "
        "release of Dask."
    ),
    "scheduler_empty": "The Dask scheduler at {address} has no workers. Start some: dask worker {address}.",
    "scheduler_lost": (
        "The Dask scheduler at {address} is gone. What was done is kept: start it again and run the same "
        "command with --resume."
    ),
    "workers_unfit": "The Dask workers cannot be used: {reasons} Nothing was begun.",
    "worker_sees_no_path": (
        "{path} is not the same folder or file there. Put cases and masks where every machine sees them "
        "under one path."
    ),
    "worker_cannot_write": "{path} cannot be written to there. Check its permissions.",
    # The worker
    "cancelled": "The segmentation was cancelled.",
    "sequence_unusable": (
        "{path} ({sequence}) shows nothing: all its voxels have one value. "
        "Leave it out, or choose another image."
    ),
    "worker_missing": (
        "The network's process could not be started ({path}: {reason}). Install the program again."
    ),
    "worker_died": (
        "The network's process ended unexpectedly (status {status}). Your masks are unchanged. Try again; "
        "if it happens again, close other programs to free memory."
    ),
    "worker_garbled": (
        "The network's process gave an answer that makes no sense. Your masks are unchanged. Try again; "
        "if it happens again, install the program again."
    ),
    "worker_hung": (
        "The network's process gave no sign of life for {seconds} seconds and was stopped. Your masks are "
        "unchanged. Try again."
    ),
    # Networks
    "model_missing": (
        "{path} is missing, so {name} cannot run. Copy the whole folder of the network again; if it came "
        "with the program, install that again."
    ),
    "model_corrupt": (
        "{path} is not the file that belongs to {name} ({reason}). Copy it again; if it came with the "
        "program, install that again."
    ),
    "card_invalid": "The card {path} is not valid: {reason}. Correct it, or ask whoever made the network.",
    "weights_not_onnx": "{path} is no ONNX file that can be run ({reason}). Export the network again.",
    "weights_unfit": (
        "{path} does not fit its card: the {what} should be {wanted}, but is {found}. "
        "Export the network again."
    ),
    "model_pickled": (
        "{path} is a pickled file: reading it would run whatever program is in it, so it is not opened. "
        "Export the network as ONNX."
    ),
    "model_not_in_folder": (
        "{path} is a lone file. Put it into a folder of its own together with its model.toml."
    ),
    "model_name_taken": (
        "The network in {path} has the name of one that comes with the program ({name}). Rename its folder."
    ),
    "model_for_pictures": (
        "The network {name} reads {channels}, not MR sequences. Only brainseg evaluate can use it."
    ),
    "network_for_heads_only": (
        "The network {name} knows only whole heads, and the skull was removed from this exam. "
        "Choose another network."
    ),
    "network_for_stripped_only": (
        "The network {name} knows only brains whose skull was removed, and this exam shows the whole head. "
        "Choose another network."
    ),
    "network_inputs_missing": (
        "The network needs {wanted}, of which this exam has none (it has {present}). "
        "Add a sequence, or choose another network."
    ),
    "architecture_not_on_gpu": (
        "The network {name} is of the kind {architecture}, which runs on the processor only. "
        "Use --device auto or cpu."
    ),
    "model_unknown": "There is no network {name} in {path}. Use one of {known}.",
    "model_not_loaded": "The network was asked before it was loaded. Try again.",
    "device_unknown": "There is no device {device}. Use auto, cpu or cuda.",
    "cuda_missing": "No GPU was found. Use --device cpu, or check the driver of the card.",
    "torch_missing": (
        "The GPU needs torch. Install it with: pip install 'brainseg-desktop[gpu]', or use --device cpu."
    ),
    "no_sequences": "The network was given no images. Open a case with T1, T1CE, T2 or FLAIR.",
    "sequences_differ": (
        "The sequences differ in shape ({shapes}). Register and resample them to one grid first."
    ),
    "request_malformed": (
        "The worker was asked something it cannot read ({reason}). Install the program again."
    ),
    "request_unknown": "The worker does not know the request {op}. Install the program again.",
    "out_of_memory": "There is not enough memory to segment this case. Close other programs and try again.",
    "worker_bug": (
        "The network failed ({reason}). The mask so far is unchanged; try again, and report it if it stays."
    ),
    # Training
    "recipe_missing": "The recipe {path} does not exist. Recipes lie in resources/recipes.",
    "recipe_invalid": "The recipe {path} is not valid: {reason}. Correct it.",
    "recipe_run_unknown": "{path} has no run {run}. Name one with --run: {known}.",
    "training_data_missing": "{path} has no {names}. Correct the recipe, or add the data.",
    "source_missing": "The data {name} do not exist. Correct the recipe, or add the data.",
    "source_empty": "{name} holds nothing of the kind {reason}. Correct the recipe, or add the data.",
    "source_unreadable": "{name} cannot be read ({reason}). Copy or download it again.",
    "source_not_recognised": (
        "{path} is no data set of a known kind. Say which with --kind: lgg, brats, stacks, coco or pictures."
    ),
    "slice_corrupt": "The slice {name} cannot be read ({reason}) and is left out.",
    "volume_corrupt": "The volume {name} cannot be read ({reason}) and is left out.",
    "mask_without_image": "The mask {name} has no image and is left out ({reason}).",
    "image_without_mask": "The image {name} has no mask and is left out ({reason}).",
    "sizes_differ": "{name} does not fit its partners ({reason}) and is left out.",
    "class_id_unknown": (
        "{name} holds labels that its coding does not know ({reason}); they count as background."
    ),
    "annotation_broken": "{name} cannot be drawn ({reason}) and is left out.",
    "case_missing": "The case {name} is named in the recipe but not in the data ({reason}).",
    "case_listed_twice": "The case {name} is in the sources twice; the one in {reason} is left out.",
    "case_unusable": "The case {name} is left out: {reason}.",
    "kind_not_wanted": "The exam {name} is left out: the recipe is not for its kind, {reason}.",
    "classes_not_known": (
        "The reference of {name} ({coding}) does not tell classes apart. Use other targets or other data."
    ),
    "stripping_impossible": (
        "The recipe {name} asks for stripped heads, which need FLAIR, spacing_mm = 1.5 and normalise = "
        "'tissue'. Correct its preparation, or take stripped_too out."
    ),
    "split_empty": "The {side} side of the split is empty. Change the split, or add patients.",
    "kaggle_token_missing": (
        "The download needs your Kaggle token in {path}. Make one at https://www.kaggle.com/settings "
        "(API, Create Legacy API Key), save it there and run: chmod 600 {path} ."
    ),
    "kaggle_token_exposed": (
        "Others on this computer can read your Kaggle token, so it is not used. "
        "Run this first: chmod 600 {path} ."
    ),
    "kaggle_token_broken": (
        "{path} is no Kaggle token: it needs a username and a key. Make a new one at "
        "https://www.kaggle.com/settings."
    ),
    "kaggle_refused": (
        "Kaggle refused the download ({status}). Check that your token is valid, and open "
        "https://www.kaggle.com/datasets/mateuszbuda/lgg-mri-segmentation once in a browser."
    ),
    "download_failed": (
        "The download broke off ({reason}). Run the command again: it goes on where it stopped."
    ),
    "archive_broken": "{path} is damaged ({reason}). Run the command again, or delete the file first.",
    "archive_unsafe": "{path} was not unpacked: {name} in it is not safe ({reason}). Delete the file.",
    "archive_unexpected": "{path} does not hold the LGG slices. Delete it and run the command again.",
    "run_unfinished": (
        "{path} holds a training already. Go on with --resume, measure it with --evaluate-only, or "
        "delete the folder."
    ),
    "results_unreadable": "{path} cannot be read ({reason}). Delete it; --evaluate-only writes it again.",
    "network_not_exportable": (
        "The architecture {name} sees blocks of slices, and the program works slice by slice: it is "
        "measured, but "
        "not published. Use a 2-D architecture."
    ),
    "weights_differ": (
        "The weights file is not true to the network: a probability differs by {difference}, and "
        "{flipped} % of the "
        "doubtful voxels are decided otherwise. Longer kernels are needed."
    ),
    "side_unknown": "There is no side {side} of a split. Use one of {known}.",
    "side_unmeasured": "No exam of the {side} side could be measured. Check the recipe and its data.",
    "split_by_slice": (
        "The recipe {name} splits patients by slice, and the program segments whole exams. Use a recipe that "
        "splits by patient."
    ),
    "sequence_not_dropped": "There is no sequence {name} to withhold. Use one of {known}.",
    "drop_needs_recipe": "{path} is a folder, and --drop works with a recipe. Give a recipe.",
    "training_diverged": (
        "The loss is no longer a number at step {step}. The last checkpoint is kept; lower "
        "optimizer.learning_rate, or raise schedule.warmup."
    ),
    "nothing_to_train": (
        "{name} has no exam on the training side. Correct the sources or the split of the recipe."
    ),
    "network_unfit": "The network {name} cannot be built as the recipe asks: {reason}. Correct it.",
    "patch_unfit": (
        "The sides of sampling.patch ({patch}) must be multiples of {multiple}. Correct the recipe."
    ),
    "batch_not_shared": (
        "A batch of {batch} cannot be shared evenly by {ranks} processes. Correct schedule.batch."
    ),
    "encoder_weights_unfit": (
        "{path} does not hold the weights of a ResNet-34 ({reason}). Give a safetensors file with "
        "torchvision's names, or leave out network.encoder_weights."
    ),
    "start_missing": "The weights to start from, {path}, are missing. Correct or remove network.start.",
    "start_unfit": (
        "Learning cannot start from {path} ({reason}). Name another file in network.start, or leave it out."
    ),
    "checkpoint_missing": "There is no checkpoint {path} to resume. Start without --resume.",
    "checkpoint_unfit": (
        "The checkpoint {path} does not belong to this recipe ({reason}). Start without --resume."
    ),
}


# What stands in a sentence for what is not known.
THE_FILE = "the file"
UNKNOWN = "unknown"
NONE = "none"
SOMETHING_WRONG = "Something went wrong: {error}"

# Why a score or a statistic has no number, to stand in its place.
STATES: dict[str, str] = {
    "both_empty": "both empty",
    "one_empty": "one empty",
    "no_spacing": "no voxel size",
    "too_few": "too few readings",
    "empty": "nothing marked",
    "no_variation": "nothing differs",
    "zero_mean": "the mean is 0",
}


def state_words(state: str) -> str:
    """Why there is no number, in two or three words.

    Examples
    --------
    >>> state_words("both_empty")
    'both empty'
    """
    return STATES.get(state, state.replace("_", " "))


class _Values(dict[str, str]):
    """Parameters of a sentence; an error raised far from its file does not know the path."""

    def __init__(self, values: Mapping[str, str], say: Callable[[str], str]) -> None:
        super().__init__(values)
        self._say = say

    def __missing__(self, name: str) -> str:
        return self._say(THE_FILE) if name == "path" else self._say(UNKNOWN)


def words(error: UserError) -> str:
    """The sentence of an error, in the language of the window.

    Examples
    --------
    >>> words(UserError("file_missing", path=Path("a/b.nii")))
    'a/b.nii does not exist. Check the path.'
    """
    return _sentence(error, tr)


def words_without_folders(error: UserError) -> str:
    """The sentence with the names of files only, for pages that are given away: a folder may name a patient.

    Such pages are English whatever the window speaks, as reports and tables are.

    Examples
    --------
    >>> words_without_folders(UserError("file_missing", path=Path("Jane Doe/b.nii")))
    'b.nii does not exist. Check the path.'
    """
    params = {key: Path(v.name) if isinstance(v, Path) else v for key, v in error.params.items()}
    return _sentence(UserError(error.code, **params), str)


def _sentence(error: UserError, say: Callable[[str], str]) -> str:
    english = SENTENCES.get(error.code, SOMETHING_WRONG)
    values = _Values({name: _told(value, say) for name, value in error.params.items()}, say)
    values.setdefault("error", str(error))
    try:
        said = say(english).format_map(values)
    except (ValueError, LookupError, AttributeError):
        # The translator has broken a name in braces.
        said = english.format_map(values)
    return said[0].upper() + said[1:] if said.startswith(("the ", say(THE_FILE))) else said


def _told(value: object, say: Callable[[str], str]) -> str:
    """A parameter in words: paths as given, lists joined."""
    if isinstance(value, Path | str):
        return str(value)
    if isinstance(value, UserError):
        return _sentence(value, say)
    if isinstance(value, tuple) and all(isinstance(v, int) for v in value):
        return " x ".join(str(v) for v in value)
    if isinstance(value, Iterable):
        return ", ".join(str(v) for v in value) or say(NONE)
    return f"{value:g}" if isinstance(value, float) else str(value)
