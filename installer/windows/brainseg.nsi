; The Windows installer: for one user, without an administrator. build_installer.py writes what it includes and
; compiles it; see README.md beside it.
;
;   VERSION        1.2.3                    VERSION_FOUR   1.2.3.0
;   TARGET_FILE    what is made             GENERATED      where the lists of files and the picture are
;   SIZE_KB        what it takes installed  ICON           brainseg.ico

Unicode true
!ifdef STUB64
  Target amd64-unicode
!endif
SetCompressor /SOLID lzma
RequestExecutionLevel user
ManifestDPIAware true

!include "MUI2.nsh"
!include "FileFunc.nsh"
!include "LogicLib.nsh"

!define NAME "BrainSeg Desktop"
!define WINDOWED "brainseg-desktop.exe"
!define CONSOLE "brainseg.exe"
!define OWN_KEY "Software\BrainSeg Desktop"
!define UNINSTALL_KEY "Software\Microsoft\Windows\CurrentVersion\Uninstall\BrainSegDesktop"
!define CLASSES "Software\Classes"
!define NIFTI "BrainSegDesktop.NIfTI"
!define DICOM "BrainSegDesktop.DICOM"

Name "${NAME}"
OutFile "${TARGET_FILE}"
InstallDir "$LOCALAPPDATA\Programs\${NAME}"
InstallDirRegKey HKCU "${OWN_KEY}" "Folder"
BrandingText "${NAME} ${VERSION} - research use only"
; A file that cannot be written stops the installation; it is never left out.
AllowSkipFiles off
SetOverwrite on

VIProductVersion "${VERSION_FOUR}"
VIFileVersion "${VERSION_FOUR}"
VIAddVersionKey "ProductName" "${NAME}"
VIAddVersionKey "ProductVersion" "${VERSION}"
VIAddVersionKey "FileVersion" "${VERSION}"
VIAddVersionKey "FileDescription" "Installer of ${NAME}"
VIAddVersionKey "LegalCopyright" "Apache License 2.0"

!define MUI_ICON "${ICON}"
!define MUI_UNICON "${ICON}"
!define MUI_WELCOMEFINISHPAGE_BITMAP "${GENERATED}\side.bmp"
!define MUI_ABORTWARNING
!define MUI_WELCOMEPAGE_TEXT "This installs ${NAME} ${VERSION} for you alone; no administrator is needed.$\r$\n$\r$\n\
Research use only: not a medical device, not for diagnosis or treatment.$\r$\n$\r$\n\
An older version is replaced. Your readings and settings stay."
!define MUI_FINISHPAGE_RUN "$INSTDIR\${WINDOWED}"
!define MUI_FINISHPAGE_RUN_TEXT "Start ${NAME}"
!insertmacro MUI_PAGE_WELCOME
!insertmacro MUI_PAGE_DIRECTORY
!insertmacro MUI_PAGE_INSTFILES
!insertmacro MUI_PAGE_FINISH
!insertmacro MUI_UNPAGE_CONFIRM
!insertmacro MUI_UNPAGE_INSTFILES
!insertmacro MUI_LANGUAGE "English"

; Windows lets nobody write to a program that runs: whether it does is asked by opening it so. Both programs are
; tried, for a window's worker is the console one.
!macro REFUSE_WHILE_RUNNING FOLDER WHAT
  !insertmacro REFUSE_IF_OPEN "${FOLDER}\${WINDOWED}" "${WHAT}"
  !insertmacro REFUSE_IF_OPEN "${FOLDER}\${CONSOLE}" "${WHAT}"
!macroend

!macro REFUSE_IF_OPEN FILE WHAT
  ${If} ${FileExists} "${FILE}"
    ClearErrors
    FileOpen $1 "${FILE}" a
    ${If} ${Errors}
      MessageBox MB_OK|MB_ICONEXCLAMATION "${NAME} is running, or a job of it is. Save your work, close it, and ${WHAT} again." /SD IDOK
      SetErrorLevel 3
      Quit
    ${EndIf}
    FileClose $1
  ${EndIf}
!macroend

Function .onInit
  ReadRegStr $0 HKCU "${OWN_KEY}" "Folder"
  ${If} $0 != ""
    !insertmacro REFUSE_WHILE_RUNNING "$0" "start this installer"
  ${EndIf}
FunctionEnd

Section "Program"
  SectionIn RO
  ; The folder may have been chosen anew, and an older version may lie in another one.
  !insertmacro REFUSE_WHILE_RUNNING "$INSTDIR" "start this installer"
  Call RefuseWithoutRoom
  Call RemoveOlder

  SetOutPath "$INSTDIR"
  ClearErrors
  !include "${GENERATED}\install.nsh"
  WriteUninstaller "$INSTDIR\uninstall.exe"
  ${If} ${Errors}
    MessageBox MB_OK|MB_ICONSTOP "${NAME} could not be written to $INSTDIR. See that there is room and that you may write there, and start this installer again." /SD IDOK
    SetErrorLevel 2
    Abort "$INSTDIR could not be written."
  ${EndIf}

  SetOutPath "$INSTDIR"
  CreateShortcut "$SMPROGRAMS\${NAME}.lnk" "$INSTDIR\${WINDOWED}" "" "$INSTDIR\${WINDOWED}" 0 SW_SHOWNORMAL "" \
    "Segment, correct and measure brain tumour masks. Research use only."

  WriteRegStr HKCU "${OWN_KEY}" "Folder" "$INSTDIR"
  WriteRegStr HKCU "${OWN_KEY}" "Version" "${VERSION}"
  Call RegisterFileTypes

  WriteRegStr HKCU "${UNINSTALL_KEY}" "DisplayName" "${NAME}"
  WriteRegStr HKCU "${UNINSTALL_KEY}" "DisplayVersion" "${VERSION}"
  WriteRegStr HKCU "${UNINSTALL_KEY}" "DisplayIcon" "$INSTDIR\${WINDOWED}"
  WriteRegStr HKCU "${UNINSTALL_KEY}" "Publisher" "BrainSeg Desktop maintainers"
  WriteRegStr HKCU "${UNINSTALL_KEY}" "InstallLocation" "$INSTDIR"
  WriteRegStr HKCU "${UNINSTALL_KEY}" "UninstallString" '"$INSTDIR\uninstall.exe"'
  WriteRegStr HKCU "${UNINSTALL_KEY}" "QuietUninstallString" '"$INSTDIR\uninstall.exe" /S'
  WriteRegDWORD HKCU "${UNINSTALL_KEY}" "EstimatedSize" ${SIZE_KB}
  WriteRegDWORD HKCU "${UNINSTALL_KEY}" "NoModify" 1
  WriteRegDWORD HKCU "${UNINSTALL_KEY}" "NoRepair" 1
SectionEnd

; Before anything of an older version goes: is there room, and may we write there?
Function RefuseWithoutRoom
  ${GetRoot} "$INSTDIR" $0
  ClearErrors
  ${DriveSpace} "$0\" "/D=F /S=K" $1
  ${IfNot} ${Errors}
  ${AndIf} $1 < ${SIZE_KB}
    MessageBox MB_OK|MB_ICONSTOP "There is too little room on $0 for ${NAME}. Free some or choose another drive, and start this installer again." /SD IDOK
    SetErrorLevel 2
    Abort "There is too little room on $0."
  ${EndIf}
  ClearErrors
  CreateDirectory "$INSTDIR"
  FileOpen $1 "$INSTDIR\uninstall.tmp" w
  ${If} ${Errors}
    MessageBox MB_OK|MB_ICONSTOP "You may not write to $INSTDIR. Start this installer again and choose another folder." /SD IDOK
    SetErrorLevel 2
    Abort "$INSTDIR cannot be written to."
  ${EndIf}
  FileClose $1
  Delete "$INSTDIR\uninstall.tmp"
FunctionEnd

; An older version takes itself away by its own list of files, so that nothing of it is left beside the new one.
Function RemoveOlder
  ReadRegStr $0 HKCU "${OWN_KEY}" "Folder"
  ${If} $0 == ""
  ${OrIfNot} ${FileExists} "$0\uninstall.exe"
    Return
  ${EndIf}
  DetailPrint "Removing the older version from $0"
  ; With _?= the uninstaller runs from where it lies and is waited for; it then cannot remove itself.
  ExecWait '"$0\uninstall.exe" /S _?=$0' $2
  ${If} $2 != 0
    MessageBox MB_OK|MB_ICONSTOP "The older version in $0 could not be removed. Close ${NAME} and start this installer again." /SD IDOK
    SetErrorLevel 3
    Abort "The older version could not be removed."
  ${EndIf}
  Delete "$0\uninstall.exe"
  RMDir "$0"
FunctionEnd

!macro FILE_TYPE PROGID WORDS
  WriteRegStr HKCU "${CLASSES}\${PROGID}" "" "${WORDS}"
  WriteRegStr HKCU "${CLASSES}\${PROGID}\DefaultIcon" "" "$INSTDIR\${WINDOWED},0"
  WriteRegStr HKCU "${CLASSES}\${PROGID}\shell\open\command" "" '"$INSTDIR\${WINDOWED}" "%1"'
!macroend

; Windows knows a file by its last ending alone. .nii and .dcm are offered to us, and nobody's own choice is
; overruled; of .nii.gz it sees .gz, which belongs to the user's archiver: there we only stand under "Open with".
Function RegisterFileTypes
  !insertmacro FILE_TYPE "${NIFTI}" "NIfTI image"
  !insertmacro FILE_TYPE "${DICOM}" "DICOM image"
  WriteRegStr HKCU "${CLASSES}\.nii\OpenWithProgids" "${NIFTI}" ""
  WriteRegStr HKCU "${CLASSES}\.dcm\OpenWithProgids" "${DICOM}" ""

  WriteRegStr HKCU "${CLASSES}\Applications\${WINDOWED}" "FriendlyAppName" "${NAME}"
  WriteRegStr HKCU "${CLASSES}\Applications\${WINDOWED}\shell\open\command" "" '"$INSTDIR\${WINDOWED}" "%1"'
  WriteRegStr HKCU "${CLASSES}\Applications\${WINDOWED}\SupportedTypes" ".nii" ""
  WriteRegStr HKCU "${CLASSES}\Applications\${WINDOWED}\SupportedTypes" ".gz" ""
  WriteRegStr HKCU "${CLASSES}\Applications\${WINDOWED}\SupportedTypes" ".dcm" ""

  WriteRegStr HKCU "${OWN_KEY}\Capabilities" "ApplicationName" "${NAME}"
  WriteRegStr HKCU "${OWN_KEY}\Capabilities" "ApplicationDescription" "Segment, correct and measure brain tumour masks"
  WriteRegStr HKCU "${OWN_KEY}\Capabilities\FileAssociations" ".nii" "${NIFTI}"
  WriteRegStr HKCU "${OWN_KEY}\Capabilities\FileAssociations" ".dcm" "${DICOM}"
  WriteRegStr HKCU "Software\RegisteredApplications" "${NAME}" "${OWN_KEY}\Capabilities"
  System::Call 'shell32::SHChangeNotify(i 0x08000000, i 0, p 0, p 0)'
FunctionEnd

Function un.onInit
  !insertmacro REFUSE_WHILE_RUNNING "$INSTDIR" "uninstall it"
FunctionEnd

; What was installed goes, file by file; a folder goes only when it is empty then. Readings, settings and journals
; lie elsewhere and stay, and so does whatever a user has put among our files.
Section "Uninstall"
  !include "${GENERATED}\uninstall.nsh"
  Delete "$INSTDIR\uninstall.exe"
  RMDir "$INSTDIR"
  Delete "$SMPROGRAMS\${NAME}.lnk"

  DeleteRegKey HKCU "${CLASSES}\${NIFTI}"
  DeleteRegKey HKCU "${CLASSES}\${DICOM}"
  DeleteRegKey HKCU "${CLASSES}\Applications\${WINDOWED}"
  DeleteRegValue HKCU "${CLASSES}\.nii\OpenWithProgids" "${NIFTI}"
  DeleteRegValue HKCU "${CLASSES}\.dcm\OpenWithProgids" "${DICOM}"
  ; Only what is empty goes: other programs may have put themselves beside us.
  DeleteRegKey /ifempty HKCU "${CLASSES}\.nii\OpenWithProgids"
  DeleteRegKey /ifempty HKCU "${CLASSES}\.nii"
  DeleteRegKey /ifempty HKCU "${CLASSES}\.dcm\OpenWithProgids"
  DeleteRegKey /ifempty HKCU "${CLASSES}\.dcm"
  DeleteRegValue HKCU "Software\RegisteredApplications" "${NAME}"
  DeleteRegKey HKCU "${OWN_KEY}"
  DeleteRegKey HKCU "${UNINSTALL_KEY}"
  System::Call 'shell32::SHChangeNotify(i 0x08000000, i 0, p 0, p 0)'
SectionEnd
